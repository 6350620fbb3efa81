package httpd

import (
	"log/slog"
	"net/http"
	"time"
)

// NewServer returns a server with the deadlines and ceilings that hold for
// every connection: 5 s for a request's headers, 64 kB of them, a minute idle.
// Bodies, answers and stream events have deadlines of their own.
func NewServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}
