package main

import (
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
)

// serveProxy is the yardstick: a reverse proxy in Go that does nothing but pass
// bytes on, each as soon as it comes.
func serveProxy(listen, target string) error {
	to, err := url.Parse(target)
	if err != nil {
		return err
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 20_000, DisableCompression: true}
	proxy := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(to) },
		Transport:     transport,
		FlushInterval: -1,
		ErrorLog:      log.Default(),
	}
	passing := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Without it the server takes the request's body away when an upstream answers before its last read.
		_ = http.NewResponseController(w).EnableFullDuplex()
		proxy.ServeHTTP(w, r)
	})
	return http.ListenAndServe(listen, passing)
}
