package apitest_test

import (
	"compress/gzip"
	hexadecimal "encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"parley/impl/core/provider/providertest"
	"parley/impl/testkit"
)

// spans is a collector that keeps what it is sent.
type spans struct {
	mu  sync.Mutex
	all []*otlp.Span
	raw strings.Builder
}

func (s *spans) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body = unpacked
	}
	raw, err := io.ReadAll(body)
	var sent collector.ExportTraceServiceRequest
	if err != nil || proto.Unmarshal(raw, &sent) != nil {
		http.Error(w, "not OTLP", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.raw.Write(raw)
	for _, of := range sent.ResourceSpans {
		for _, scope := range of.ScopeSpans {
			s.all = append(s.all, scope.Spans...)
		}
	}
}

// of returns the spans of a trace by name.
func (s *spans) of(traceID string) map[string][]*otlp.Span {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := map[string][]*otlp.Span{}
	for _, span := range s.all {
		if hexadecimal.EncodeToString(span.TraceId) == traceID {
			found[span.Name] = append(found[span.Name], span)
		}
	}
	return found
}

// A request's trace goes on from the client's, through the statements, to the
// upstream, and says nothing of what was said.
func TestTraceGoesFromTheClientToTheUpstream(t *testing.T) {
	collected := &spans{}
	sink := httptest.NewServer(collected)
	defer sink.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", sink.URL)
	s := testkit.New(t)
	x := tenantOf(t, s, testkit.Unlimited, 0)
	u := x.Upstream(t, providertest.SSE("zebra-48 answers"))
	const traceID, parentID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	got := x.do(t, testkit.Request{
		Path: "/api/v1/chat", Body: `{"message":"zebra-47 on the roof"}`, Header: map[string]string{"Traceparent": "00-" + traceID + "-" + parentID + "-01"},
	}).Want(t, http.StatusOK)
	unsampled := x.do(t, testkit.Request{
		Path: "/api/v1/chat", Body: `{"message":"zebra-47 on the roof"}`, Header: map[string]string{"Traceparent": "00-" + strings.Repeat("1", 32) + "-" + parentID + "-00"},
	}).Want(t, http.StatusOK)
	if err := s.Stop(); err != nil { // sends the last spans
		t.Fatal(err)
	}
	mine := collected.of(traceID)
	if len(mine["sendWebchatMessage"]) != 1 || len(mine["turn"]) != 1 || len(mine["SQL together"]) < 3 {
		t.Fatalf("spans %v", mine)
	}
	request, turn := mine["sendWebchatMessage"][0], mine["turn"][0]
	if hexadecimal.EncodeToString(request.ParentSpanId) != parentID || hexadecimal.EncodeToString(turn.ParentSpanId) != hexadecimal.EncodeToString(request.SpanId) {
		t.Errorf("the request follows %x, the turn %x", request.ParentSpanId, turn.ParentSpanId)
	}
	host := "POST " + strings.TrimSuffix(strings.TrimPrefix(u.URL, "http://"), "/v1")
	if len(mine[host]) != 1 || hexadecimal.EncodeToString(mine[host][0].ParentSpanId) != hexadecimal.EncodeToString(turn.SpanId) {
		t.Fatalf("no call of %s within the turn: %v", host, mine)
	}
	if want := "00-" + traceID + "-" + hexadecimal.EncodeToString(mine[host][0].SpanId) + "-01"; u.Received()[0].Header.Get("Traceparent") != want {
		t.Errorf("the upstream was told %q, want %q", u.Received()[0].Header.Get("Traceparent"), want)
	}
	if more := collected.of(strings.Repeat("1", 32)); len(more) > 0 {
		t.Errorf("a trace that is not sampled was sent: %v", more)
	}
	line := strings.Join(s.Logs.Of(got.Header.Get("X-Request-Id")), "")
	if !strings.Contains(line, `"trace":"`+traceID+`"`) || strings.Contains(strings.Join(s.Logs.Of(unsampled.Header.Get("X-Request-Id")), ""), `"trace"`) {
		t.Errorf("the access line does not name the trace: %s", line)
	}
	for _, secret := range []string{"zebra", x.key.Text, "upstream-key-"} {
		if strings.Contains(collected.raw.String(), secret) {
			t.Errorf("%q stands in a span", secret)
		}
	}
}
