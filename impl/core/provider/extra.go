package provider

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"parley/impl/core/tokens"
)

// toolsMember offers tools to the model.
const toolsMember = "tools"

// read are the members of Request.Extra that the model reads.
var read = []string{toolsMember, "response_format"}

// ExtraTokens returns how many tokens model reads for further members of a request.
func ExtraTokens(model string, extra map[string]json.RawMessage) int {
	n := 0
	for _, name := range read {
		n += tokens.Count(model, string(extra[name]))
	}
	return n
}

func (r Request) offersTools() bool { return gjson.ParseBytes(r.Extra[toolsMember]).IsArray() }

// blame notes on an upstream's refusal which member of the caller's own is at
// fault, when the upstream names one that went to it as it was.
func blame(failure error, req Request) {
	e, ok := errors.AsType[*statusError](failure)
	if !ok || e.status != http.StatusBadRequest && e.status != http.StatusUnprocessableEntity {
		return
	}
	name := gjson.GetBytes(e.body, "error.param").String()
	if end := strings.IndexAny(name, ".["); end >= 0 {
		name = name[:end]
	}
	raw := slices.ContainsFunc(req.Messages, func(m Message) bool { return m.Raw != "" })
	if req.Extra[name] != nil || name == "messages" && raw {
		e.blamed = name
	}
}
