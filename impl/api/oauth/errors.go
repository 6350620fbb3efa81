package oauth

import (
	"encoding/json"
	"net/http"
	"strings"

	gen "parley/gen/oauth"
	"parley/impl/core/fault"
	"parley/impl/httpd"
)

// words are the errors of RFC 6749 for faults that carry none.
var words = map[fault.Kind]string{
	fault.Unauthenticated: "invalid_client", fault.Internal: "server_error", fault.Upstream: "server_error",
	fault.RateLimited: "temporarily_unavailable", fault.Unavailable: "temporarily_unavailable", fault.Canceled: "temporarily_unavailable",
}

// writeFault is the one place where this surface's errors get their shape.
func writeFault(_ *http.Request, f *fault.Error) (int, string, []byte) {
	word := f.Code
	if word == "" {
		word = words[f.Kind]
	}
	if word == "" {
		word = "invalid_request"
	}
	body, err := json.Marshal(gen.OauthError{Error: gen.OauthErrorError(word), ErrorDescription: plain(f.Message)})
	if err != nil {
		panic(err) // a struct of strings always encodes
	}
	return httpd.Status(f.Kind), "application/json", body
}

// plain leaves the characters that RFC 6749 allows in a description.
func plain(text string) string {
	return strings.Map(func(c rune) rune {
		if c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
			return '\''
		}
		return c
	}, text)
}
