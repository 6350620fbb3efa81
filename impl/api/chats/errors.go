package chats

import (
	"encoding/json"
	"net/http"
	"strings"

	gen "parley/gen/chats"
	"parley/impl/core/fault"
	"parley/impl/httpd"
)

// unknownCaller is what the original server says to bad credentials.
const unknownCaller = "Could not validate credentials"

// writeFault is the one place where this surface's errors get their shape:
// {"detail": text}, and for what breaks a rule of the document 422 with a list.
func writeFault(_ *http.Request, f *fault.Error) (int, string, []byte) {
	status, value := httpd.Status(f.Kind), any(gen.ChatsError{Detail: f.Message})
	switch f.Kind {
	case fault.Unauthenticated:
		value = gen.ChatsError{Detail: unknownCaller}
	case fault.Invalid:
		if f.Code == httpd.BadHandshake {
			break
		}
		status, value = http.StatusUnprocessableEntity, toAPIValidationError(f)
	case fault.Unprocessable:
		value = gen.ChatsValidationError{Detail: []gen.ChatsValidationItem{{
			Loc: []string{"header", "Idempotency-Key"}, Msg: f.Message, Type: "idempotency_key_reused",
		}}}
	}
	body, err := json.Marshal(value)
	if err != nil {
		panic(err) // structs of texts always encode
	}
	return status, "application/json", body
}

func toAPIValidationError(f *fault.Error) gen.ChatsValidationError {
	if len(f.Fields) == 0 {
		return gen.ChatsValidationError{Detail: []gen.ChatsValidationItem{{Loc: []string{"body"}, Msg: f.Message, Type: "value_error"}}}
	}
	items := make([]gen.ChatsValidationItem, len(f.Fields))
	for i, field := range f.Fields {
		loc := []string{field.In}
		if path := strings.Trim(field.Path, "/"); path != "" {
			loc = append(loc, strings.Split(path, "/")...)
		}
		items[i] = gen.ChatsValidationItem{Loc: loc, Msg: field.Reason, Type: field.Rule}
	}
	return gen.ChatsValidationError{Detail: items}
}

// missing is the Invalid fault of a member that is required here.
func missing(member string) error {
	f := fault.New(fault.Invalid, "Invalid body /%s: is required", member)
	f.Fields = []fault.Field{{In: "body", Path: "/" + member, Rule: "required", Reason: "is required"}}
	return f
}
