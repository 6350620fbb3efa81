package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/gen/client"
	"parley/gen/client/characters"
	"parley/gen/client/chats"
	"parley/gen/client/openai"
	"parley/gen/client/turns"
	"parley/gen/client/webchat"
	"parley/gen/client/wire"
)

// script answers the nth request, from 0, with the nth handler, and further ones with the last.
type script struct {
	mu       sync.Mutex
	handlers []http.HandlerFunc
	requests []sent
}

// sent is what a request said.
type sent struct {
	Method, Path, Body string
	Header             http.Header
}

// ServeHTTP implements http.Handler.
func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.requests = append(s.requests, sent{r.Method, r.URL.RequestURI(), string(body), r.Header.Clone()})
	handle := s.handlers[min(len(s.requests), len(s.handlers))-1]
	s.mu.Unlock()
	handle(w, r)
}

// all lists the requests so far.
func (s *script) all() []sent {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]sent(nil), s.requests...)
}

// play starts a server that follows a script, and a client that waits only as long as the server asks for.
func play(t *testing.T, handlers ...http.HandlerFunc) (*client.Client, *script) {
	t.Helper()
	s := &script{handlers: handlers}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return connect(t, server, client.WithRetries(2, 0, time.Hour)), s
}

// status answers with a status and headers, given as name and value.
func status(code int, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, `{"error":"Not now."}`)
	}
}

// agent answers with an agent.
func agent(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"id":"agent_1","name":"Ada"}`)
}

// cut sends the first bytes of a stream and breaks the connection.
func cut(text string, after int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Parley-Turn", "turn_1")
		w.WriteHeader(http.StatusOK)
		_, _ = io.WriteString(w, text[:after])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

const answerStream = "event: message\ndata: {\"content\":\"How \"}\nid: 1\n\n: still here\n\nevent: message\r\ndata: {\"content\":\"are \"}\r\nid: 2\r\n\r\n" +
	"event: message\ndata: {\"content\":\"you?\"}\nid: 3\n\nevent: end\ndata: {\"session_id\":\"sess_1\"}\nid: 4\n\n"

// rest answers with what of answerStream follows the event that the request names.
func rest(w http.ResponseWriter, r *http.Request) {
	text := answerStream
	if id := r.Header.Get("Last-Event-ID"); id != "" {
		text = strings.ReplaceAll(text, "\r", "")
		_, text, _ = strings.Cut(text, "id: "+id+"\n\n")
	}
	events(text)(w, r)
}

// say reads a stream of an answer to its end.
func say(ctx context.Context, c *client.Client, options ...client.RequestOption) (text string, err error) {
	for event, err := range c.Webchat.StreamSendWebchatMessage(ctx, webchat.WebchatRequest{Message: "Hey!"}, options...) {
		if err != nil {
			return text, err
		}
		if event.Message != nil {
			text += event.Message.Content
		}
		if event.End != nil {
			text += event.End.SessionID
		}
	}
	return text, nil
}

func TestStreamGoesOnWhereverItIsCut(t *testing.T) {
	for after := range len(answerStream) - 1 {
		c, s := play(t, cut(answerStream, after), rest)
		text, err := say(t.Context(), c, client.EndUser("visitor"))
		if err != nil || text != "How are you?sess_1" {
			t.Fatalf("cut after %d bytes: %q, %v", after, text, err)
		}
		second := s.all()[1]
		if second.Method != "GET" || second.Path != "/api/v1/turns/turn_1/events" || second.Header.Get("Parley-End-User") != "visitor" || second.Header.Get("Authorization") != "Bearer k" {
			t.Fatalf("cut after %d bytes: it went on with %+v", after, second)
		}
	}
}

func TestStreamGoesOnAsLongAsItGetsFurther(t *testing.T) {
	one := func(w http.ResponseWriter, r *http.Request) { // an event a connection
		recorder := httptest.NewRecorder()
		rest(recorder, r)
		text := recorder.Body.String()
		id := strings.Index(text, "id: ")
		cut(text, id+strings.Index(text[id:], "\n\n")+2)(w, r)
	}
	plain := strings.ReplaceAll(answerStream, "\r", "")
	c, s := play(t, cut(plain, strings.Index(plain, "\n\n")+2), one)
	if text, err := say(t.Context(), c); err != nil || text != "How are you?sess_1" {
		t.Errorf("got %q, %v", text, err)
	}
	if got := len(s.all()); got != 4 {
		t.Errorf("%d connections for four events", got)
	}
}

func TestStreamThatGetsNoFurtherEndsWithWhatBrokeIt(t *testing.T) {
	for _, tries := range []int{0, 3} {
		s := &script{handlers: []http.HandlerFunc{cut(answerStream, 60), cut("", 0)}}
		server := httptest.NewServer(s)
		c := connect(t, server, client.WithRetries(0, 0, 0), client.WithResume(tries))
		if text, err := say(t.Context(), c); text != "How " || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d tries: %q, %v", tries, text, err)
		}
		server.Close()
		if got := len(s.all()); got != 1+tries {
			t.Errorf("%d tries: %d requests", tries, got)
		}
	}
}

func TestStreamThatCannotBeResumedSaysWhy(t *testing.T) {
	gone := status(http.StatusNotFound)
	c, _ := play(t, cut(answerStream, 60), gone)
	var refused *client.Error
	if _, err := say(t.Context(), c); !errors.As(err, &refused) || refused.StatusCode != 404 || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error is %v", err)
	}
	// Events without numbers would come twice.
	c, s := play(t, cut("data: {}\n\ndata: {}\n\n", 12), rest)
	seen := 0
	for _, err := range c.Openai.StreamCreateChatCompletion(t.Context(), openai.ChatCompletionRequest{}) {
		seen++
		if seen == 2 && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("error is %v", err)
		}
	}
	if seen != 2 || len(s.all()) != 1 {
		t.Errorf("%d events from %d connections", seen-1, len(s.all()))
	}
}

func TestStreamThatIsReadGoesOnByItself(t *testing.T) {
	for name, read := range map[string]func(*client.Client) error{
		"/chats/chat_1/events": func(c *client.Client) error {
			after := int64(7)
			for _, err := range c.Chats.StreamChatEvents(t.Context(), "chat_1", &chats.StreamChatEventsParams{After: &after}) {
				if err != nil {
					return err
				}
			}
			return nil
		},
		"/api/v1/turns/turn_1/events": func(c *client.Client) error {
			for _, err := range c.Turns.StreamTurnEvents(t.Context(), "turn_1", &turns.StreamTurnEventsParams{}) {
				if err != nil {
					return err
				}
			}
			return nil
		},
	} {
		text := "event: x\ndata: {}\nid: 8\n\n"
		c, s := play(t, cut(text, len(text)), events("event: chat_end\ndata: {\"chat_id\":\"chat_1\"}\nid: 9\n\n"))
		_ = read(c)
		all := s.all()
		if len(all) < 2 || all[1].Path != name || all[1].Header.Get("Last-Event-ID") != "8" {
			t.Errorf("%s: it went on with %+v", name, all[1:])
		}
	}
}

func TestWhatPassesIsRepeated(t *testing.T) {
	for name, first := range map[string]http.HandlerFunc{
		"429 with seconds": status(429, "Retry-After", "0"),
		"429 with a date":  status(429, "Retry-After", time.Now().Add(-time.Minute).UTC().Format(http.TimeFormat)),
		"502":              status(502),
		"503":              status(503, "Retry-After", "0"),
		"504":              status(504),
		"a cut connection": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"a cut answer":     cut("{", 1),
		"a cut long answer ": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "{")
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, s := play(t, first, agent)
			if got, err := c.Characters.GetAgent(t.Context(), "agent_1"); err != nil || got.Name != "Ada" || len(s.all()) != 2 {
				t.Errorf("reading: %+v, %v, %d requests", got, err, len(s.all()))
			}
			c, s = play(t, first, agent)
			if _, err := c.Characters.CreateAgent(t.Context(), nil, characters.AgentCreate{Name: "Ada"}); err != nil {
				t.Errorf("creating: %v", err)
			}
			all := s.all()
			if len(all) != 2 || all[0].Body != all[1].Body || all[0].Body == "" {
				t.Fatalf("creating sent %+v", all)
			}
			if key := all[0].Header.Get("Idempotency-Key"); len(key) < 20 || key != all[1].Header.Get("Idempotency-Key") {
				t.Errorf("creating used the keys %q and %q", key, all[1].Header.Get("Idempotency-Key"))
			}
		})
	}
}

func TestWhatStaysIsNotRepeated(t *testing.T) {
	for name, first := range map[string]http.HandlerFunc{
		"429 without a time":         status(429),
		"429 that asks for too long": status(429, "Retry-After", "86400"),
		"400":                        status(400), "402": status(402), "404": status(404), "409": status(409), "500": status(500),
	} {
		c, s := play(t, first)
		var refused *client.Error
		if _, err := c.Characters.GetAgent(t.Context(), "agent_1"); !errors.As(err, &refused) || len(s.all()) != 1 {
			t.Errorf("%s: %v after %d requests", name, err, len(s.all()))
		}
	}
}

func TestOnlyWhatDoesNoHarmIsRepeated(t *testing.T) {
	c, s := play(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	if _, err := c.Turns.CancelTurn(t.Context(), "turn_1"); err == nil || len(s.all()) != 1 {
		t.Errorf("a POST without a key: %v after %d requests", err, len(s.all()))
	}
	if _, err := c.Turns.GetTurn(t.Context(), "turn_1"); err == nil || len(s.all()) != 4 {
		t.Errorf("a GET: %v after %d requests in all", err, len(s.all()))
	}
	server := httptest.NewServer(s)
	defer server.Close()
	plain := connect(t, server, client.WithRetries(2, 0, 0), client.WithoutIdempotencyKeys())
	if _, err := plain.Characters.CreateAgent(t.Context(), nil, characters.AgentCreate{}); err == nil || len(s.all()) != 5 {
		t.Errorf("a POST without a key of the client's: %v after %d requests in all", err, len(s.all()))
	}
	if _, err := plain.Characters.CreateAgent(t.Context(), nil, characters.AgentCreate{}, client.IdempotencyKey("mine")); err == nil || len(s.all()) != 8 {
		t.Errorf("a POST with a key of the caller's: %v after %d requests in all", err, len(s.all()))
	}
}

// Nothing was sent over a connection that never came about.
func TestWhatCouldNotConnectIsRepeatedWhateverItIs(t *testing.T) {
	s := &script{handlers: []http.HandlerFunc{agent}}
	server := httptest.NewServer(s)
	defer server.Close()
	dials := 0
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		if dials++; dials == 1 {
			return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}}
	defer transport.CloseIdleConnections()
	c, err := client.New(server.URL, client.WithHTTPClient(&http.Client{Transport: transport}), client.WithRetries(1, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Turns.CancelTurn(t.Context(), "turn_1"); err != nil || dials != 2 {
		t.Errorf("%v after %d dials", err, dials)
	}
}

func TestFormsAreRepeatedWhenTheirFilesCanBeReadAgain(t *testing.T) {
	for name, test := range map[string]struct {
		form *wire.Form
		want int
	}{
		"a seekable file":   {client.NewForm().Field("name", "x").File("file", "a.txt", strings.NewReader("content")), 2},
		"a stream":          {client.NewForm().File("file", "a.txt", io.MultiReader(strings.NewReader("content"))), 1},
		"an encoded stream": {client.EncodedForm("multipart/form-data; boundary=b", strings.NewReader("--b--")), 1},
	} {
		c, s := play(t, status(503), agent)
		_, err := c.Webchat.CreateDocumentForm(t.Context(), test.form)
		all := s.all()
		if len(all) != test.want || (err == nil) != (test.want == 2) {
			t.Errorf("%s: %v after %d requests", name, err, len(all))
		}
		if test.want == 2 && (all[0].Body != all[1].Body || !strings.Contains(all[1].Body, "content")) {
			t.Errorf("%s: sent %q, then %q", name, all[0].Body, all[1].Body)
		}
	}
}

func TestCancellationEndsThePause(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c, s := play(t, func(w http.ResponseWriter, r *http.Request) {
		status(503, "Retry-After", "3000")(w, r)
		_ = http.NewResponseController(w).Flush()
		cancel()
	})
	if _, err := c.Characters.GetAgent(ctx, "agent_1"); !errors.Is(err, context.Canceled) || len(s.all()) != 1 {
		t.Errorf("%v after %d requests", err, len(s.all()))
	}
	short, end := context.WithTimeout(t.Context(), time.Minute)
	defer end()
	c, s = play(t, status(503, "Retry-After", "3000"))
	var refused *client.Error // a pause that the deadline would cut is not begun
	if _, err := c.Characters.GetAgent(short, "agent_1"); !errors.As(err, &refused) || len(s.all()) != 1 {
		t.Errorf("%v after %d requests", err, len(s.all()))
	}
}

// Close waits for every connection that still has a request: a client that kept one would hang the test.
func TestNothingIsLeftOfStreamsThatWereLeft(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			cut(answerStream, 60)(w, r)
		}
		endless(make(chan struct{}))(w, r)
	}))
	c := connect(t, server, client.WithRetries(0, 0, 0))
	for i := range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		seen := 0
		for _, err := range c.Webchat.StreamSendWebchatMessage(ctx, webchat.WebchatRequest{Message: "Hey!"}) {
			if seen++; err != nil || seen > 3 {
				break
			}
			if i%2 == 0 && seen == 2 {
				cancel()
			}
		}
		cancel()
	}
	server.Close()
}

func TestIntoKeepsStatusAndHeaders(t *testing.T) {
	c, _ := play(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-RateLimit-Remaining", "3")
		agent(w, r)
	})
	var response http.Response
	if _, err := c.Characters.GetAgent(t.Context(), "agent_1", client.Into(&response)); err != nil || response.Header.Get("X-RateLimit-Remaining") != "3" {
		t.Errorf("%v: %v", err, response.Header)
	}
	if fmt.Sprint(response.StatusCode) != "200" {
		t.Errorf("status %d", response.StatusCode)
	}
}
