package node

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// hiddenErrors is how many errors of a controller the console hides before the first one shows.
const hiddenErrors = 4

// keptLines bounds each log: a failing controller is tried again at every call.
const keptLines = 2000

// logs are the kernel's ring buffer and the log of the controller runtime. The machine's lock guards them.
type logs struct {
	kmsg       []string
	controller []string
	errors     map[string]int
}

func (l *logs) reset() { *l = logs{errors: map[string]int{}} }

// kernel adds a line to the ring buffer in the format that Talos's API gives it.
func (l *logs) kernel(format string, args ...any) {
	line := fmt.Sprintf("user: warning: [%s]: %s\n", time.Now().UTC().Format(time.RFC3339Nano), fmt.Sprintf(format, args...))
	l.kmsg = bounded(append(l.kmsg, line))
}

// failed logs a controller's error as zap's console encoder does, at once in its own log and late on the console.
func (l *logs) failed(controller string, err error) {
	fields := fmt.Sprintf(`{"component": "controller-runtime", "controller": %s, "error": %s}`,
		quoted(controller), quoted(err.Error()))
	l.controller = bounded(append(l.controller, fmt.Sprintf("%s \x1b[31mERROR\x1b[0m controller failed %s",
		time.Now().UTC().Format("2006-01-02T15:04:05.000Z0700"), fields)))

	l.errors[controller]++
	if l.errors[controller] > hiddenErrors {
		l.kernel("[talos] controller failed %s", fields)
	}
}

// worked ends a controller's run of errors.
func (l *logs) worked(controller string) { delete(l.errors, controller) }

func bounded(lines []string) []string {
	if len(lines) > keptLines {
		return append([]string(nil), lines[len(lines)-keptLines:]...)
	}

	return lines
}

func quoted(text string) string {
	var out strings.Builder

	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	must(encoder.Encode(text))

	return strings.TrimSuffix(out.String(), "\n")
}

// Dmesg are the lines of the kernel's ring buffer.
func (m *Machine) Dmesg() []string {
	m.mu.Lock()
	defer m.mu.Unlock()

	return append([]string(nil), m.logs.kmsg...)
}

// Log is the text of a service's log.
func (m *Machine) Log(id string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()

	lines := []string{}

	switch {
	case id == "controller-runtime":
		lines = m.logs.controller
	case id == "kernel":
		return strings.Join(m.logs.kmsg, ""), nil
	case m.services[id] != nil:
		for _, e := range m.services[id].events {
			lines = append(lines, fmt.Sprintf("%s: %s", id, e.message))
		}
	default:
		return "", fmt.Errorf("log %q was not registered", id)
	}

	if len(lines) == 0 {
		return "", nil
	}

	return strings.Join(lines, "\n") + "\n", nil
}
