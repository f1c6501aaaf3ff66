// Program registry is a registry on loopback for the tests: it serves the folder of a release as the public ones do, over
// TLS with an authority of its own, and modules beside it. It has no opinion of what it serves: a release that was
// tampered with is a folder that was tampered with, and the command line is to find that out.
//
//	registry --release DIR --key DIR --modules DIR --mirror DIR --state DIR
//
// It prints `ready HOST:PORT` once it serves, and ends when its standard input does, so that it never outlives who
// started it. `state` gets ca.pem, for SSL_CERT_FILE, and requests.log, one request a line.
//
// Own protocol code and no more than Go's library: the pages that it follows are the public "provider registry protocol",
// "module registry protocol" and "remote service discovery".
package main

import (
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
)

type options struct {
	release, key, modules, mirror, state string
}

func main() {
	var from options
	flag.StringVar(&from.release, "release", "", "the folder of a release")
	flag.StringVar(&from.key, "key", "", "the folder with public.asc and key-id, which the registry announces")
	flag.StringVar(&from.modules, "modules", "", "a folder of modules: NAMESPACE/NAME/SYSTEM/VERSION/")
	flag.StringVar(&from.mirror, "mirror", "", "a folder that `providers mirror` made, served as a network mirror")
	flag.StringVar(&from.state, "state", "", "the folder for ca.pem and requests.log")
	flag.Parse()
	if err := serve(from); err != nil {
		fmt.Fprintln(os.Stderr, "registry:", err)
		os.Exit(1)
	}
}

func serve(from options) error {
	authority, certificate, err := certificates()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(from.state, "ca.pem"), authority, 0o644); err != nil {
		return err
	}
	requests, err := os.Create(filepath.Join(from.state, "requests.log"))
	if err != nil {
		return err
	}
	defer requests.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := http.Server{
		Handler:   logged(log.New(requests, "", 0), routes(from)),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}},
	}
	// A name and not an address: a source address of a provider holds a host name.
	fmt.Printf("ready localhost:%d\n", listener.Addr().(*net.TCPAddr).Port)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = server.Close()
	}()
	if err := server.ServeTLS(listener, "", ""); err != http.ErrServerClosed {
		return err
	}
	return nil
}

func routes(from options) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/terraform.json", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]string{"providers.v1": "/v1/providers/", "modules.v1": "/v1/modules/"})
	})
	provider := provider{release: from.release, key: from.key}
	mux.HandleFunc("GET /v1/providers/{namespace}/{type}/versions", provider.versions)
	mux.HandleFunc("GET /v1/providers/{namespace}/{type}/{version}/download/{os}/{arch}", provider.download)
	mux.Handle("GET /release/", http.StripPrefix("/release/", http.FileServer(http.Dir(from.release))))
	modules := modules{folder: from.modules}
	mux.HandleFunc("GET /v1/modules/{namespace}/{name}/{system}/versions", modules.versions)
	mux.HandleFunc("GET /v1/modules/{namespace}/{name}/{system}/{version}/download", modules.download)
	mux.HandleFunc("GET /archive/{namespace}/{name}/{system}/{file}", modules.archive)
	if from.mirror != "" {
		mux.Handle("GET /mirror/", http.StripPrefix("/mirror/", http.FileServer(http.Dir(from.mirror))))
	}
	return mux
}

func logged(requests *log.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Println(r.Method, r.URL.Path)
		next.ServeHTTP(w, r)
	})
}
