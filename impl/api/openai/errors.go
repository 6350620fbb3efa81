package openai

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	gen "parley/gen/openai"
	"parley/impl/core/fault"
	"parley/impl/httpd"
)

// ruleContext is the rule that this surface adds to those of the schemas.
const ruleContext = "context"

// unsupported are the members that take nothing but their default.
var unsupported = []string{
	"n", "functions", "modalities", "audio", "conversation", "prompt",
}

// writeFault is the one place where this surface's errors get their shape:
// OpenAI's. No funds are 429 there, as running out of quota is.
func writeFault(_ *http.Request, f *fault.Error) (int, string, []byte) {
	status := httpd.Status(f.Kind)
	if f.Kind == fault.NoFunds {
		status = http.StatusTooManyRequests
	}
	body, err := json.Marshal(gen.OpenaiErrorBody{Error: toAPIError(f)})
	if err != nil {
		panic(err) // a struct of strings always encodes
	}
	return status, "application/json", body
}

func toAPIError(f *fault.Error) gen.OpenaiError {
	e := gen.OpenaiError{Message: f.Message, Type: gen.OpenaiErrorTypeInvalidRequestError}
	named := func(code string) { e.Code = &code }
	switch f.Kind {
	case fault.Unauthenticated:
		named("invalid_api_key")
	case fault.Forbidden:
		named("insufficient_permissions")
	case fault.NotFound:
		e.Param = lost(f.Code)
		named("model_not_found")
	case fault.NoFunds:
		e.Type = gen.OpenaiErrorTypeInsufficientQuota
		named("insufficient_quota")
	case fault.RateLimited:
		e.Type = gen.OpenaiErrorTypeRequests
		named("rate_limit_exceeded")
	case fault.Invalid:
		if len(f.Fields) > 0 {
			return invalid(f.Message, telling(f.Fields))
		}
	case fault.Unprocessable:
		named("idempotency_key_reused")
	case fault.NotAllowed, fault.Conflict, fault.TooLarge, fault.Unsupported:
	default:
		e.Type = gen.OpenaiErrorTypeServerError
		named("server_error")
	}
	if f.Code != "" {
		named(f.Code)
	}
	return e
}

// lost is the member that named what is not found; nil for a path.
func lost(code string) *string {
	param := "model"
	switch code {
	case codeNoResponse:
		return nil
	case codeNoPrevious:
		param = "previous_response_id"
	}
	return &param
}

// telling returns the first field, or what else is wrong with its value or
// inside it: of one that has alternatives, another rule than the type was meant.
func telling(fields []fault.Field) fault.Field {
	for _, f := range fields {
		if strings.HasPrefix(f.Path, fields[0].Path) && f.Rule != "type" {
			return f
		}
	}
	return fields[0]
}

// invalid names the broken member as OpenAI does: messages[0].content.
func invalid(message string, field fault.Field) gen.OpenaiError {
	param, last := paramOf(field)
	code := "invalid_value"
	switch {
	case param == "":
		return gen.OpenaiError{Message: "Invalid body: it " + field.Reason, Type: gen.OpenaiErrorTypeInvalidRequestError}
	case field.Rule == ruleContext:
		code = "context_length_exceeded"
	case last == "type" && field.Rule == "enum" || slices.Contains(unsupported, last) && !slices.Contains([]string{"type", "minimum", "nullable"}, field.Rule):
		code, message = "unsupported_value", "'"+param+"' is not supported here with another value than its default."
	case field.Rule == "required":
		code, message = "missing_required_parameter", "Invalid '"+param+"': "+field.Reason
	case field.Rule == "type":
		code, message = "invalid_type", "Invalid '"+param+"': "+field.Reason
	default:
		message = "Invalid '" + param + "': " + field.Reason
	}
	return gen.OpenaiError{Message: message, Type: gen.OpenaiErrorTypeInvalidRequestError, Param: &param, Code: &code}
}

// paramOf returns a field's place in OpenAI's notation and the member that its schema belongs to.
func paramOf(field fault.Field) (param, member string) {
	for name := range strings.SplitSeq(strings.TrimPrefix(field.Path, "/"), "/") {
		if _, err := strconv.Atoi(name); err == nil {
			param += "[" + name + "]"
			continue
		}
		if param != "" {
			param += "."
		}
		param += name
		member = name
		if slices.Contains(unsupported, name) {
			return param, member // what is wrong inside does not matter
		}
	}
	return param, member
}
