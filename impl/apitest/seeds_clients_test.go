package apitest_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"parley/impl/core/provider/providertest"
	"parley/impl/testkit"
)

// fromCurl reads the headers and the data of a curl line.
func fromCurl(text string) (header map[string]string, body string) {
	header = map[string]string{}
	for _, m := range regexp.MustCompile(`-H "([^:]+): ([^"]+)"`).FindAllStringSubmatch(text, -1) {
		header[m[1]] = m[2]
	}
	return header, regexp.MustCompile(`(?s)-d '(.*)'`).FindStringSubmatch(text)[1]
}

// fromFetch does the same for a call of fetch with a literal body.
func fromFetch(text string) (header map[string]string, body string) {
	header = map[string]string{}
	for _, m := range regexp.MustCompile("'([A-Za-z-]+)': [`']([^`']+)[`']").FindAllStringSubmatch(text, -1) {
		header[m[1]] = m[2]
	}
	literal := regexp.MustCompile(`JSON\.stringify\((.*)\)`).FindStringSubmatch(text)[1]
	literal = regexp.MustCompile(`(\w+):`).ReplaceAllString(literal, `"$1":`)
	return header, strings.ReplaceAll(literal, `'`, `"`)
}

func TestSeed003ClientsGetTheirStream(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	upstream := x.Upstream(t)
	for name, read := range map[string]func(string) (map[string]string, string){"curl": fromCurl, "fetch": fromFetch} {
		e := examples(t, "003")[name]
		text := strings.NewReplacer(keyPlaceholder, x.key.Text, hostPlaceholder, x.server.URL).Replace(e.text)
		if !strings.Contains(text, x.server.URL+"/api/v1/chat") {
			t.Fatalf("%s goes elsewhere: %s", name, text)
		}
		header, body := read(text)
		upstream.Answers(providertest.SSE(pieces...))
		got := x.server.Do(t, testkit.Request{Path: "/api/v1/chat", Header: header, Body: body}).Want(t, http.StatusOK)
		wantHeader(t, got, "Content-Type", "text/event-stream")
		seen := make(chan struct{}, 100)
		upstream.Answers(providertest.Paced(seen, pieces...))
		wantWholeChunks(t, rawChunks(t, x.server, header, body, seen))
	}
}

// pieces are what the model says, one when the one before has arrived: what is there together may come together.
var pieces = []string{"Grüße", " from", " the model 🙂"}

// A page that decodes each chunk alone, as the seed's does, must see neither
// half a character nor half an event.
func wantWholeChunks(t *testing.T, chunks []string) {
	t.Helper()
	if len(chunks) < len(pieces) {
		t.Errorf("the answer came in %d chunks: it was not streamed", len(chunks))
	}
	for _, chunk := range chunks {
		if !utf8.ValidString(chunk) || !strings.HasPrefix(chunk, "event: ") || !strings.HasSuffix(chunk, "\n\n") {
			t.Errorf("a chunk that is no whole event: %q", chunk)
		}
	}
	events := strings.Split(strings.TrimSuffix(strings.Join(chunks, ""), "\n\n"), "\n\n")
	if last := events[len(events)-1]; !strings.HasPrefix(last, "event: end\n") {
		t.Errorf("the last event is %q", last)
	}
}

// rawChunks sends a request by hand and returns the chunks as they were sent; each is told to seen.
func rawChunks(t *testing.T, s *testkit.Server, header map[string]string, body string, seen chan<- struct{}) []string {
	t.Helper()
	host := strings.TrimPrefix(s.URL, "http://")
	conn, err := net.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }() // nothing is left to be written
	head := fmt.Sprintf("POST /api/v1/chat HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n", host, len(body))
	for name, value := range header {
		head += name + ": " + value + "\r\n"
	}
	if _, err := io.WriteString(conn, head+"\r\n"+body); err != nil {
		t.Fatal(err)
	}
	answer := bufio.NewReader(conn)
	for line := ""; line != "\r\n"; {
		if line, err = answer.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	return readChunks(t, answer, seen)
}

func readChunks(t *testing.T, r *bufio.Reader, seen chan<- struct{}) []string {
	t.Helper()
	var chunks []string
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		size, err := strconv.ParseInt(strings.TrimSpace(line), 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		chunk := make([]byte, size+2) // and its line end
		if _, err := io.ReadFull(r, chunk); err != nil {
			t.Fatal(err)
		}
		if size == 0 {
			return chunks
		}
		chunks = append(chunks, string(chunk[:size]))
		seen <- struct{}{}
	}
}
