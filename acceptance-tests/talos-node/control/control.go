// Package control is the side door for the harness: plain HTTP on loopback that looks at the machines and changes them
// while they run. README.md lists the requests.
package control

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"

	"talos-node/api"
	"talos-node/node"
	"talos-node/script"
)

// maxBody is more than any configuration.
const maxBody = 64 << 20

// Server answers the harness.
type Server struct {
	Front *api.Front
	// Apply takes a script while the nodes run.
	Apply func(*script.Script) error
	// Dir is what file names in bodies are relative to.
	Dir string
}

// Handler is the HTTP handler.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /nodes", func(w http.ResponseWriter, _ *http.Request) { answer(w, s.Front.Names(), nil) })
	mux.HandleFunc("GET /calls", s.calls)
	mux.HandleFunc("POST /script", s.script)
	mux.HandleFunc("GET /nodes/{name}/config", s.on(getConfig))
	mux.HandleFunc("PUT /nodes/{name}/config", s.on(putConfig))
	mux.HandleFunc("GET /nodes/{name}/state", s.on(s.state))
	mux.HandleFunc("POST /nodes/{name}/reboot", s.on(reboot))
	mux.HandleFunc("POST /nodes/{name}/stop", s.on(func(m *node.Machine, _ *http.Request, _ []byte) (any, error) {
		m.Stop()

		return nil, nil
	}))
	mux.HandleFunc("POST /nodes/{name}/start", s.on(func(m *node.Machine, _ *http.Request, _ []byte) (any, error) {
		m.Start()

		return nil, nil
	}))
	mux.HandleFunc("POST /nodes/{name}/fault", s.on(s.fault))
	mux.HandleFunc("POST /nodes/{name}/release", s.on(s.release))
	mux.HandleFunc("POST /nodes/{name}/module", s.on(module))
	mux.HandleFunc("POST /nodes/{name}/sysctl", s.on(sysctl))
	mux.HandleFunc("POST /nodes/{name}/uuid", s.on(setUUID))
	mux.HandleFunc("POST /nodes/{name}/maintenance", s.on(maintenance))
	mux.HandleFunc("POST /nodes/{name}/rollback", s.on(rollback))

	return mux
}

type action func(m *node.Machine, r *http.Request, body []byte) (any, error)

// raw is an answer that is not JSON.
type raw []byte

func (s *Server) on(do action) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		m := s.Front.Find(r.PathValue("name"))
		if m == nil {
			http.Error(w, "no node "+r.PathValue("name"), http.StatusNotFound)

			return
		}

		body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)

			return
		}

		reply, err := do(m, r, body)
		answer(w, reply, err)
	}
}

func answer(w http.ResponseWriter, reply any, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)

		return
	}

	if data, ok := reply.(raw); ok {
		_, _ = w.Write(data) // The harness is gone when this fails.

		return
	}

	if reply == nil {
		reply = map[string]bool{"ok": true}
	}

	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(reply)
}

func (s *Server) calls(w http.ResponseWriter, r *http.Request) {
	since := int64(0)

	if text := r.URL.Query().Get("since"); text != "" {
		number, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			answer(w, nil, err)

			return
		}

		since = number
	}

	answer(w, s.Front.Log.Calls(r.URL.Query().Get("node"), since), nil)
}

func (s *Server) script(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		answer(w, nil, err)

		return
	}

	parsed, err := script.Parse(body, s.Dir)
	if err != nil {
		answer(w, nil, err)

		return
	}

	answer(w, nil, s.Apply(parsed))
}

func getConfig(m *node.Machine, r *http.Request, _ []byte) (any, error) {
	data, err := m.ConfigBytes(r.URL.Query().Get("id"))

	return raw(data), err
}

func putConfig(m *node.Machine, r *http.Request, body []byte) (any, error) {
	return nil, m.Write(body, r.URL.Query().Get("mode"))
}

func (s *Server) state(m *node.Machine, _ *http.Request, _ []byte) (any, error) {
	snapshot := m.Snapshot()
	snapshot.Held = s.Front.Held(m.Name)

	return snapshot, nil
}

func reboot(m *node.Machine, _ *http.Request, body []byte) (any, error) {
	if len(body) == 0 {
		m.Reboot(nil)

		return nil, nil
	}

	var how script.Reboot
	if err := script.Strict(body, &how); err != nil {
		return nil, err
	}

	m.Reboot(&how)

	return nil, nil
}

func (s *Server) fault(m *node.Machine, _ *http.Request, body []byte) (any, error) {
	fault, err := script.ParseFault(body, s.Dir)
	if err != nil {
		return nil, err
	}

	fault.Node = m.Name
	s.Front.AddFault(fault)

	return nil, nil
}

func (s *Server) release(m *node.Machine, _ *http.Request, _ []byte) (any, error) {
	return map[string]int{"released": s.Front.Release(m.Name)}, nil
}

func module(m *node.Machine, _ *http.Request, body []byte) (any, error) {
	var in struct {
		Name string `json:"name"`
		script.Module
	}

	if err := script.Strict(body, &in); err != nil {
		return nil, err
	}

	if in.Name == "" {
		return nil, errors.New("module: needs name")
	}

	m.SetModule(in.Name, in.Module)

	return nil, nil
}

func sysctl(m *node.Machine, _ *http.Request, body []byte) (any, error) {
	var in struct {
		Key   string `json:"key"`
		Value string `json:"value"`
	}

	if err := script.Strict(body, &in); err != nil {
		return nil, err
	}

	return nil, m.SetSysctl(in.Key, in.Value)
}

func setUUID(m *node.Machine, _ *http.Request, body []byte) (any, error) {
	var in struct {
		UUID string `json:"uuid"`
	}

	if err := script.Strict(body, &in); err != nil {
		return nil, err
	}

	m.SetUUID(in.UUID)

	return nil, nil
}

func maintenance(m *node.Machine, _ *http.Request, body []byte) (any, error) {
	var in struct {
		On bool `json:"on"`
	}

	if err := script.Strict(body, &in); err != nil {
		return nil, err
	}

	m.Maintenance(in.On)

	return nil, nil
}

func rollback(m *node.Machine, _ *http.Request, _ []byte) (any, error) {
	return map[string]bool{"fired": m.Rollback()}, nil
}
