package main

import (
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/codes"

	"talos-node/release"
)

func TestTheVersionGrowsByTheAppliesThatWereAccepted(t *testing.T) {
	t.Parallel()

	p := start(t, worker(""))
	c, ctx := p.client("talosconfig"), p.context(gpuNode)
	original, _ := running(t, ctx, c)

	var (
		group    sync.WaitGroup
		accepted atomic.Int64
		refusals = make(chan error, 40)
	)

	for range 40 {
		group.Go(func() {
			if _, err := apply(ctx, c, original, noReboot, false); err != nil {
				refusals <- err
			} else {
				accepted.Add(1)
			}
		})
	}

	group.Wait()
	close(refusals)

	for err := range refusals {
		want(t, "the minor refuses", release.ApplyMutex, true)
		wantError(t, err, codes.FailedPrecondition, "another apply configuration is already in progress")
	}

	_, version := running(t, ctx, c)
	want(t, "version", version, strconv.FormatInt(1+accepted.Load(), 10))
}

func TestMaintenanceModeEndsAfterSoManyCalls(t *testing.T) {
	t.Parallel()

	p := start(t, `{"nodes": [{"name": "10.5.0.2"}, {"name": "10.5.0.3", "maintenance": {"until_call": 2}}]}`)
	c, ctx := p.client("talosconfig"), p.context(gpuNode)

	for range 2 {
		_, err := c.Version(ctx)
		wantError(t, err, codes.Unavailable, `connection error: desc = "transport: authentication handshake failed: tls: failed to verify certificate: x509: certificate signed by unknown authority"`)
	}

	_, err := c.Version(ctx)
	must(t, err)
}
