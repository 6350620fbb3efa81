package realtime

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"parley/impl/core/fault"
	"parley/impl/httpd"
)

// problem is OpenAI's error: of an answer to a request, and of an error event.
type problem struct {
	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param"`
	Code    *string `json:"code"`
	EventID *string `json:"event_id,omitempty"` // which event of the client's is at fault
}

// writeFault is the one place where this surface's errors of HTTP get their shape.
func writeFault(_ *http.Request, f *fault.Error) (int, string, []byte) {
	status := httpd.Status(f.Kind)
	if f.Kind == fault.NoFunds {
		status = http.StatusTooManyRequests
	}
	body, err := json.Marshal(map[string]problem{"error": problemOf(f)})
	if err != nil {
		panic(err) // a struct of strings always encodes
	}
	return status, "application/json", body
}

// types and codes of what is not the client's mistake in a member.
var worded = map[fault.Kind][2]string{
	fault.Unauthenticated: {"invalid_request_error", "invalid_api_key"},
	fault.Forbidden:       {"invalid_request_error", "insufficient_permissions"},
	fault.NotFound:        {"invalid_request_error", "model_not_found"},
	fault.NoFunds:         {"insufficient_quota", "insufficient_quota"},
	fault.RateLimited:     {"requests", "rate_limit_exceeded"},
	fault.Invalid:         {"invalid_request_error", "invalid_value"},
	fault.NotAllowed:      {"invalid_request_error", ""},
	fault.Conflict:        {"invalid_request_error", ""},
	fault.TooLarge:        {"invalid_request_error", ""},
	fault.Unsupported:     {"invalid_request_error", ""},
	fault.UpgradeRequired: {"invalid_request_error", "upgrade_required"},
}

func problemOf(f *fault.Error) problem {
	words, ok := worded[f.Kind]
	if !ok {
		words = [2]string{"server_error", "server_error"}
	}
	p := problem{Message: f.Message, Type: words[0]}
	code := words[1]
	if f.Code != "" {
		code = f.Code
	}
	if len(f.Fields) > 0 {
		param := paramOf(f.Fields[0].Path)
		p.Param = &param
		switch {
		case f.Code != "":
		case f.Fields[0].Rule == "required":
			code = "missing_required_parameter"
		case f.Fields[0].Rule == "type":
			code = "invalid_type"
		}
	} else if code == "session_not_found" || code == "model_not_found" {
		param := strings.TrimSuffix(strings.Replace(code, "session_not_found", "session_id", 1), "_not_found")
		p.Param = &param
	}
	if code != "" {
		p.Code = &code
	}
	if p.Param != nil && *p.Param == "" {
		p.Param = nil
	}
	return p
}

// paramOf returns a place in OpenAI's notation: /tools/0/name is tools[0].name.
func paramOf(path string) string {
	var param strings.Builder
	for name := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		if _, err := strconv.Atoi(name); err == nil {
			param.WriteString("[" + name + "]")
			continue
		}
		if param.Len() > 0 {
			param.WriteByte('.')
		}
		param.WriteString(name)
	}
	return param.String()
}

// broken is the fault of a member that breaks a rule.
func broken(member, rule, reason string) *fault.Error {
	f := fault.New(fault.Invalid, "Invalid '%s': %s", member, reason)
	f.Fields = []fault.Field{{In: "body", Path: member, Rule: rule, Reason: reason}}
	return f
}
