package apitest_test

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"parley/gen/client/wire"
	"parley/impl/contract"
	"parley/impl/testkit"
)

// curl reads a curl command with one argument a line.
func (x tenant) curl(t *testing.T, text string, names ...string) testkit.Request {
	t.Helper()
	pairs := append([]string{keyPlaceholder, x.key.Text, hostPlaceholder, x.server.URL}, names...)
	text = strings.NewReplacer(pairs...).Replace(text)
	r := testkit.Request{Header: map[string]string{}}
	var form bytes.Buffer
	writer := multipart.NewWriter(&form)
	for i, line := range strings.Split(strings.TrimSpace(text), "\n") {
		line, more := strings.CutSuffix(strings.TrimSpace(line), ` \`)
		if !more && i < strings.Count(strings.TrimSpace(text), "\n") {
			t.Fatalf("the command ends at %q", line)
		}
		option, value, _ := strings.Cut(line, " ")
		value = strings.Trim(value, "'")
		switch option {
		case "--url":
			r.Path = strings.TrimPrefix(value, x.server.URL)
		case "--header":
			name, content, _ := strings.Cut(value, ": ")
			r.Header[name] = content
		case "--data":
			r.Body = value
		case "--form":
			name, content, _ := strings.Cut(value, "=")
			if err := writer.WriteField(name, content); err != nil {
				t.Fatal(err)
			}
		}
	}
	if form.Len() > 0 {
		_ = writer.Close() // into memory
		r.Body, r.Header["content-type"] = form.Bytes(), writer.FormDataContentType()
	}
	return r
}

func TestSeed004IsReplayed(t *testing.T) {
	t.Parallel()
	x, all := newTenant(t), examples(t, "004")
	var made struct{ Data struct{ ID int64 } }
	x.server.Do(t, x.curl(t, all["create agent"].text)).Want(t, http.StatusCreated).JSON(t, &made)
	project := strconv.FormatInt(made.Data.ID, 10)
	var begun struct {
		Data struct {
			SessionID string `json:"session_id"`
		}
	}
	x.server.Do(t, x.curl(t, all["create conversation"].text, "projectID", project)).Want(t, http.StatusCreated).JSON(t, &begun)
	send := x.curl(t, all["send message"].text, "projectID", project, "sessionID", begun.Data.SessionID)
	agent := regexp.MustCompile(`"user_agent": "(.*)"`).FindStringSubmatch(all["answer"].answer)[1]
	send.Header["User-Agent"] = agent
	got := x.server.Do(t, send).Want(t, http.StatusOK)
	compareJSON(t, "004", "answer", all["answer"].answer, got.Body)

	streamed := regexp.MustCompile(`/messages(\S*) `).FindStringSubmatch(all["stream message"].text)[1]
	send.Path += streamed
	events := x.server.Do(t, send).Want(t, http.StatusOK).Events(t)
	printed, err := contract.Events([]byte(all["stream message"].answer + "\n\n"))
	if err != nil {
		t.Fatal(err)
	}
	wantSameStream(t, printed, events)
}

// wantSameStream compares a stream with what the seed prints: the beginning to
// the letter, pieces by their shape, the end by its members.
func wantSameStream(t *testing.T, printed, got []wire.Event) {
	t.Helper()
	if len(got) < 4 {
		t.Fatalf("%d events", len(got))
	}
	for i := range 2 {
		if got[i].Name != printed[i].Name || !bytes.Equal(got[i].Data, printed[i].Data) {
			t.Errorf("event %d is %s %s, the seed prints %s %s", i, got[i].Name, got[i].Data, printed[i].Name, printed[i].Data)
		}
	}
	for _, e := range got[2 : len(got)-1] {
		if e.Name != "progress" || !regexp.MustCompile(`^\{"status":"progress","message":".+"\}$`).Match(e.Data) {
			t.Errorf("a piece is %s %s", e.Name, e.Data)
		}
	}
	last, end := got[len(got)-1], printed[len(printed)-1]
	if last.Name != end.Name {
		t.Errorf("the last event is %s", last.Name)
	}
	compareJSON(t, "004", "stream message", string(end.Data), last.Data)
}
