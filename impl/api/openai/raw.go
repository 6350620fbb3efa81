package openai

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"parley/impl/core/fault"
	"parley/impl/core/provider"
)

// extraBytesMax bounds what a request passes on beside its messages.
const extraBytesMax = 1 << 20

// interpreted are the members of a chat completion that mean something to this
// server, or are refused; all others go to the model's provider.
var interpreted = []string{
	"model", "messages", "stream", "stream_options", "store", "temperature", "max_tokens", "max_completion_tokens", "stop", "n", "user",
	"functions", "function_call", "modalities", "audio",
}

// readExtra returns the members that are passed on, without those that say nothing.
func readExtra(body []byte) (map[string]json.RawMessage, error) {
	extra := membersBeside(body, interpreted)
	return extra, checkExtra(extra)
}

// membersBeside returns the members of a body that are not known and say something; nil without any.
func membersBeside(body []byte, known []string) map[string]json.RawMessage {
	var extra map[string]json.RawMessage
	gjson.ParseBytes(body).ForEach(func(name, value gjson.Result) bool {
		if slices.Contains(known, name.String()) || saysNothing(name.String(), value) {
			return true
		}
		if extra == nil {
			extra = map[string]json.RawMessage{}
		}
		extra[name.String()] = json.RawMessage(value.Raw)
		return true
	})
	return extra
}

// checkExtra bounds what is passed on, and takes out what upstreams refuse: a choice of nothing.
func checkExtra(extra map[string]json.RawMessage) error {
	size := 0
	for name, raw := range extra {
		size += len(name) + len(raw)
	}
	if size > extraBytesMax {
		f := fault.New(fault.Invalid, "What is passed on to the model beside the messages has more than %d bytes.", extraBytesMax)
		f.Fields = []fault.Field{{In: "body", Path: "/tools", Rule: "maxLength", Reason: fmt.Sprintf("has, with the other members that are passed on, more than %d bytes", extraBytesMax)}}
		return f
	}
	if extra["tools"] == nil {
		delete(extra, "tool_choice")
		delete(extra, "parallel_tool_calls")
	}
	return nil
}

// saysNothing tells whether a member is as good as absent; upstreams refuse some of these.
func saysNothing(name string, value gjson.Result) bool {
	switch name {
	case "tools":
		return value.Raw == "[]" || value.IsArray() && len(value.Array()) == 0 || value.Type == gjson.Null
	case "response_format":
		return value.Type == gjson.Null || value.Get("type").String() == "text"
	case "logprobs":
		return !value.Bool()
	case "top_logprobs":
		return value.Int() == 0
	}
	return value.Type == gjson.Null
}

// readMessages reads a request's messages. What is more than a role and a text stays as it is.
func readMessages(messages gjson.Result) ([]provider.Message, error) {
	out := make([]provider.Message, 0, 8)
	var failure error
	messages.ForEach(func(_, m gjson.Result) bool {
		var read provider.Message
		read, failure = readMessage(m, "/messages/"+strconv.Itoa(len(out)))
		out = append(out, read)
		return failure == nil
	})
	return out, failure
}

func readMessage(m gjson.Result, path string) (provider.Message, error) {
	read := provider.Message{Role: provider.Role(m.Get("role").String())}
	developer := read.Role == "developer"
	if developer {
		read.Role = provider.RoleSystem
	}
	raw, others := false, false
	m.ForEach(func(name, value gjson.Result) bool {
		switch {
		case name.String() == "role" || value.Type == gjson.Null:
		case name.String() == "content":
		case name.String() == "tool_calls":
			raw = raw || len(value.Array()) > 0
			read.Beside = value.Raw
		default:
			raw, others = true, true
		}
		return true
	})
	plain, err := readContent(m.Get("content"), &read, path+"/content")
	if err != nil {
		return read, err
	}
	if !m.Get("content").Exists() || m.Get("content").Type == gjson.Null {
		if read.Role != provider.RoleAssistant || !raw && !others {
			return read, missing(path + "/content")
		}
	}
	if read.Role == provider.RoleTool && m.Get("tool_call_id").String() == "" {
		return read, missing(path + "/tool_call_id")
	}
	if raw || !plain {
		read.Raw = m.Raw
		if developer {
			read.Raw, err = asSystem(m.Raw)
		}
	}
	return read, err
}

// readContent adds a message's text and pictures to read, and tells whether there is nothing else to it.
func readContent(content gjson.Result, read *provider.Message, path string) (plain bool, err error) {
	if !content.IsArray() {
		read.Content = content.String()
		return true, nil
	}
	plain = true
	var texts []string
	for i, part := range content.Array() {
		kind := part.Get("type").String()
		member := part.Get(kind)
		if kind == "image_url" {
			read.Pictures++
			member = member.Get("url")
		} else {
			texts = append(texts, member.String())
		}
		if !member.Exists() {
			return false, missing(path + "/" + strconv.Itoa(i) + "/" + kind)
		}
		members := 0
		part.ForEach(func(_, _ gjson.Result) bool { members++; return true })
		plain = plain && kind == "text" && members == 2
	}
	read.Content = strings.Join(texts, "\n")
	return plain, nil
}

func missing(path string) error {
	f := fault.New(fault.Invalid, "Invalid body %s: is required", path)
	f.Fields = []fault.Field{{In: "body", Path: path, Rule: "required", Reason: "is required"}}
	return f
}

// asSystem gives a developer's message the role that every upstream knows.
func asSystem(raw string) (string, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(raw), &members); err != nil {
		return "", fmt.Errorf("read validated message: %w", err)
	}
	members["role"] = json.RawMessage(`"system"`)
	out, err := json.Marshal(members)
	return string(out), err
}
