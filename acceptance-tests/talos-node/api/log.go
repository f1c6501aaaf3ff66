// Package api is the gRPC front of the test nodes: TLS, roles, routing by header, faults by a call's number, and the log
// of calls. What a call does to a machine is in package node.
package api

import (
	"encoding/json"
	"io"
	"sync"
	"time"
)

// Entry is one line of the log.
type Entry struct {
	Seq      int64  `json:"seq"`
	Time     string `json:"time"`
	Event    string `json:"event"`
	Conn     int64  `json:"conn,omitempty"`
	Peer     string `json:"peer,omitempty"`
	Node     string `json:"node,omitempty"`
	Method   string `json:"method,omitempty"`
	Resource string `json:"resource,omitempty"`
	Role     string `json:"role,omitempty"`
	Code     string `json:"code,omitempty"`
	Message  string `json:"message,omitempty"`
	Bytes    int    `json:"bytes,omitempty"`
	Fault    string `json:"fault,omitempty"`
	Detail   string `json:"detail,omitempty"`
}

// Log writes what happens, one JSON line each, and keeps it for the control side.
type Log struct {
	mu      sync.Mutex
	out     io.Writer
	seq     int64
	entries []Entry
}

// NewLog makes a log that writes to out, which may be nil.
func NewLog(out io.Writer) *Log { return &Log{out: out} }

// Add writes a line and numbers it.
func (l *Log) Add(e Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()

	l.seq++
	e.Seq, e.Time = l.seq, time.Now().UTC().Format(time.RFC3339Nano)
	l.entries = append(l.entries, e)

	if l.out == nil {
		return
	}

	line, err := json.Marshal(e)
	if err == nil {
		_, err = l.out.Write(append(line, '\n'))
	}

	if err != nil {
		panic(err) // A test that judges by the log must not go on without it.
	}
}

// Calls are the call lines after a sequence number, of one node or of all.
func (l *Log) Calls(node string, since int64) []Entry {
	l.mu.Lock()
	defer l.mu.Unlock()

	out := []Entry{}

	for _, e := range l.entries {
		if e.Event == "call" && e.Seq > since && (node == "" || e.Node == node) {
			out = append(out, e)
		}
	}

	return out
}
