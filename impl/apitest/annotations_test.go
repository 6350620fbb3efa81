package apitest_test

import (
	"net/http"
	"strings"
	"testing"

	sdk "github.com/openai/openai-go/v3"
	sdkresponses "github.com/openai/openai-go/v3/responses"

	"parley/gen/client/projects"
	"parley/impl/testkit"
)

// OpenAI's client reads what an agent's answer rests on, in completions and responses, streamed and whole.
func TestOpenAIsClientReadsCitations(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	agentID := x.id(t, "agent_id")
	documentID := x.uploaded(t, "/api/v1/agents/"+agentID+"/documents")
	client := x.sdk(t)
	asking := hello(agentID)
	asking.Messages = []sdk.ChatCompletionMessageParamUnion{sdk.UserMessage(asked)}
	whole, err := client.Chat.Completions.New(t.Context(), asking)
	if err != nil {
		t.Fatal(err)
	}
	message := whole.Choices[0].Message
	if len(message.Annotations) != 1 || message.Annotations[0].URLCitation.URL != "urn:parley:document:"+documentID ||
		message.Annotations[0].URLCitation.Title == "" || message.Annotations[0].URLCitation.EndIndex != int64(len([]rune(message.Content))) {
		t.Errorf("message %s", message.RawJSON())
	}
	stream, last := client.Chat.Completions.NewStreaming(t.Context(), asking), ""
	for stream.Next() {
		last = stream.Current().RawJSON()
	}
	if stream.Err() != nil || !strings.Contains(last, `"annotations":[{`) || !strings.Contains(last, documentID) {
		t.Errorf("the last chunk is %s, %v", last, stream.Err())
	}

	request := ask(asked)
	request.Model = agentID
	response, err := client.Responses.New(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	content := response.Output[0].Content[0]
	if len(content.Annotations) != 1 || content.Annotations[0].AsFileCitation().FileID != documentID || content.Annotations[0].AsFileCitation().Filename == "" {
		t.Errorf("response %s", response.RawJSON())
	}
	var order []string
	events := client.Responses.NewStreaming(t.Context(), request)
	for events.Next() {
		switch e := events.Current().AsAny().(type) {
		case sdkresponses.ResponseOutputTextAnnotationAddedEvent:
			order = append(order, "citation")
			if !strings.Contains(e.RawJSON(), documentID) {
				t.Errorf("event %s", e.RawJSON())
			}
		case sdkresponses.ResponseTextDoneEvent:
			order = append(order, "text")
		case sdkresponses.ResponseCompletedEvent:
			if len(e.Response.Output[0].Content[0].Annotations) != 1 {
				t.Errorf("completed %s", e.RawJSON())
			}
		}
	}
	if events.Err() != nil || strings.Join(order, " ") != "citation text" {
		t.Errorf("events %v, %v", order, events.Err())
	}
}

// Completions of a project cite as OpenAI does, at the marks where there are any, unless the settings cite nothing.
func TestCompletionsOfProjectsAreAnnotated(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	_, path := x.library(t)
	body := map[string]any{"messages": []any{map[string]any{"role": "user", "content": "When does the library open?"}}}
	var plain, inline, uncited projects.ProjectCompletion
	complete := func(into *projects.ProjectCompletion) projects.ProjectCompletionAnswer {
		t.Helper()
		x.do(t, testkit.Request{Path: path + "/chat/completions", Body: body}).Want(t, http.StatusOK).JSON(t, into)
		return into.Choices[0].Message
	}
	message := complete(&plain)
	if len(message.Annotations) != 1 || int(message.Annotations[0].URLCitation.StartIndex) != len([]rune(message.Content)) {
		t.Fatalf("message %+v", message)
	}
	if file := x.do(t, testkit.Request{Path: message.Annotations[0].URLCitation.URL}).Want(t, http.StatusOK); string(file.Body) != handbook {
		t.Errorf("what is cited is %q", file.Body)
	}
	body["stream"] = true
	streamed := x.do(t, testkit.Request{Path: path + "/chat/completions", Body: body}).Want(t, http.StatusOK)
	if !strings.Contains(string(streamed.Body), message.Annotations[0].URLCitation.URL) {
		t.Errorf("streamed %s", streamed.Body)
	}
	body["stream"], body["is_inline_citation"] = false, true
	message = complete(&inline)
	if at := message.Annotations[0].URLCitation; string([]rune(message.Content)[at.StartIndex:at.EndIndex]) != "[1]" {
		t.Errorf("cited at %+v in %q", at, message.Content)
	}
	x.do(t, testkit.Request{Path: path + "/settings", Body: map[string]any{"enable_citations": 0}}).Want(t, http.StatusOK)
	if message = complete(&uncited); message.Annotations != nil {
		t.Errorf("cited in spite of the settings: %+v", message)
	}
}
