package wire

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestRefusalFindsTheSentenceOfEverySurface(t *testing.T) {
	tests := []struct{ name, body, want string }{
		{"characters", `{"error":"No such agent."}`, "No such agent."},
		{"webchat", `{"success":false,"error":"No such session."}`, "No such session."},
		{"problem", `{"title":"Bad Request","detail":"Why.","error":"Why."}`, "Why."},
		{"detail alone", `{"detail":"Chat not found"}`, "Chat not found"},
		{"projects", `{"status":"error","data":{"code":404,"message":"No such project."}}`, "No such project."},
		{"a validator", `{"detail":[{"loc":["body"],"msg":"field required","type":"missing"}]}`, "field required"},
		{"openai", `{"error":{"message":"Unknown model.","type":"invalid_request_error"}}`, "Unknown model."},
		{"a proxy's page", `<html>`, "Not Found"},
		{"nothing", ``, "Not Found"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			header := http.Header{"X-Request-Id": {"req_1"}, "Retry-After": {"12"}}
			refused := refusal(&http.Response{StatusCode: 404, Header: header, Body: io.NopCloser(strings.NewReader(test.body))}, time.Now())
			if refused.Message != test.want || refused.RequestID != "req_1" || refused.RetryAfter != 12*time.Second {
				t.Errorf("got %+v, want message %q, request req_1, retry after 12 s", refused, test.want)
			}
			if text := refused.Error(); !strings.Contains(text, "404") || !strings.Contains(text, "req_1") {
				t.Errorf("text %q names neither status nor request", text)
			}
		})
	}
}

func TestRefusalsKeepTheServersWordForWhatWentWrong(t *testing.T) {
	for body, want := range map[string]string{
		`{"error":{"message":"No funds.","type":"t","code":"insufficient_quota"}}`: "insufficient_quota",
		`{"error":{"message":"No.","type":"invalid_request_error","code":null}}`:   "invalid_request_error",
		`{"status":"error","data":{"code":404,"message":"No such project."}}`:      "404",
		`{"error":"invalid_client","error_description":"Unknown client."}`:         "invalid_client",
		`{"error":"No such agent."}`: "",
	} {
		if code, _ := words([]byte(body)); code != want {
			t.Errorf("the code of %s is %q, want %q", body, code, want)
		}
	}
}

func TestRetryAfterIsSecondsOrADate(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"7": 7 * time.Second, now.Add(90 * time.Second).Format(http.TimeFormat): 90 * time.Second,
		now.Add(-time.Hour).Format(http.TimeFormat): 0, "soon": 0, "-1": 0, "": 0,
	} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("%q is %v, want %v", value, got, want)
		}
	}
}
