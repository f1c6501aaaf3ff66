package main

import (
	"bytes"
	"crypto/tls"
	"testing"

	"golang.org/x/net/http2"
)

func TestPingsOnAnIdleConnectionEndIt(t *testing.T) {
	t.Parallel()

	p := start(t, "")

	var dialled *tls.Config

	p.raw("talosconfig", func(c *tls.Config) { dialled = c })
	dialled.NextProtos = []string{"h2"}

	conn, err := tls.Dial("tcp", p.address, dialled)
	must(t, err)

	defer conn.Close() //nolint:errcheck

	_, err = conn.Write([]byte(http2.ClientPreface))
	must(t, err)

	framer := http2.NewFramer(conn, conn)
	must(t, framer.WriteSettings())

	for i := range 4 {
		must(t, framer.WritePing(false, [8]byte{byte(i)}))
	}

	for {
		frame, err := framer.ReadFrame()
		must(t, err)

		if away, ok := frame.(*http2.GoAwayFrame); ok {
			want(t, "code", away.ErrCode, http2.ErrCodeEnhanceYourCalm)
			want(t, "reason", bytes.Equal(away.DebugData(), []byte("too_many_pings")), true)

			return
		}
	}
}
