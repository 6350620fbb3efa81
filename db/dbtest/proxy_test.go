package dbtest

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"parley/db"
)

// A Postgres that cannot make a process says so in words that are no message.
// They come through the proxy, and are the database's unavailability.
func TestAPostgresThatCannotForkIsUnavailable(t *testing.T) {
	t.Parallel()
	const words = "could not fork new process for connection: Resource temporarily unavailable"
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Close() }()
	go func() {
		for {
			conn, err := server.Accept()
			if err != nil {
				return
			}
			_, _ = readMessage(conn, 0) // what is left unread would end the connection by a reset
			_, _ = io.WriteString(conn, "E"+words+"\n\x00")
			_ = conn.Close()
		}
	}()
	dsn := "postgres://nobody@" + server.Addr().String() + "/nothing?sslmode=disable"
	for way, to := range map[string]string{"directly": dsn, "through the proxy": NewProxy(t, dsn).DSN} {
		_, err := db.Open(t.Context(), to, 1)
		if !errors.Is(err, db.ErrUnavailable) || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v", way, err)
		}
	}
}
