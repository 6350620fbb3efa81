package wire

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestCheckFindsTheSentenceOfEverySurface(t *testing.T) {
	tests := []struct{ name, body, want string }{
		{"characters", `{"error":"No such agent."}`, "No such agent."},
		{"webchat", `{"success":false,"error":"No such session."}`, "No such session."},
		{"problem", `{"title":"Bad Request","detail":"Why.","error":"Why."}`, "Why."},
		{"detail alone", `{"detail":"Chat not found"}`, "Chat not found"},
		{"openai", `{"error":{"message":"Unknown model.","type":"invalid_request_error"}}`, "Unknown model."},
		{"a proxy's page", `<html>`, "Not Found"},
		{"nothing", ``, "Not Found"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			header := http.Header{"X-Request-Id": {"req_1"}, "Retry-After": {"12"}}
			err := Check(&http.Response{StatusCode: 404, Header: header}, []byte(test.body))
			var refused *Error
			if !errors.As(err, &refused) {
				t.Fatalf("error is %v, want *Error", err)
			}
			if refused.Message != test.want || refused.RequestID != "req_1" || refused.RetryAfter != 12*time.Second {
				t.Errorf("got %+v, want message %q, request req_1, retry after 12 s", refused, test.want)
			}
			if text := err.Error(); !strings.Contains(text, "404") || !strings.Contains(text, "req_1") {
				t.Errorf("text %q names neither status nor request", text)
			}
		})
	}
}

func TestCheckAcceptsSuccess(t *testing.T) {
	for _, status := range []int{200, 201, 204} {
		if err := Check(&http.Response{StatusCode: status}, nil); err != nil {
			t.Errorf("%d: %v", status, err)
		}
	}
}
