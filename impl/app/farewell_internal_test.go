package app

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"testing"
)

// A server that is stopping answers what still comes, and has each client
// leave the connection by which it came.
func TestClientsLeaveTheirConnectionsBeforeTheServerStops(t *testing.T) {
	a := &App{}
	server := httptest.NewServer(a.farewell(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "answer") })))
	defer server.Close()
	ask := func(asked string, again bool) {
		t.Helper()
		var got httptrace.GotConnInfo
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) { got = c }})
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		res, err := server.Client().Do(r)
		if err != nil {
			t.Fatalf("%s: %v", asked, err)
		}
		defer func() { _ = res.Body.Close() }()
		if said, err := io.ReadAll(res.Body); err != nil || string(said) != "answer" || got.Reused != again {
			t.Errorf("%s: %q, %v; on a connection used before: %t", asked, said, err, got.Reused)
		}
	}
	ask("first", false)
	ask("while it serves", true)
	a.stopping.Store(true)
	ask("when it is told to stop", true)
	ask("after that", false)
	ask("and again", false)
}
