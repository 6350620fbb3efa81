package provider

import (
	"context"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"parley/impl/core/fault"
	"parley/impl/core/tokens"
)

// BuiltInID is the id of the built-in model.
const BuiltInID = "parley-builtin"

const builtInContextTokens = 32768

// BuiltIn is the offline model: no network, no weights, the same answer to the
// same request. It quotes the passages it is given, with citations, shows what
// it saw of the conversation, and says what it is. It calls a tool only when it must (tool_choice),
// and writes JSON when it must (response_format), with the smallest values that
// the schema admits. Its usage is counted, which for this model is exact.
type BuiltIn struct{}

var _ Provider = BuiltIn{}

// Models implements Provider.
func (BuiltIn) Models(context.Context) ([]Model, error) {
	return []Model{{ID: BuiltInID, Name: "Parley built-in", ContextTokens: builtInContextTokens}}, nil
}

// Chat implements Provider. It emits a word at a time, without delay, and ends
// with FinishLength once MaxOutputTokens words' tokens are out. It has no
// temperature and no reasoning.
func (BuiltIn) Chat(ctx context.Context, req Request, emit func(Delta) error) (Result, error) {
	c := readConversation(req.Messages)
	if call, forced := forcedCall(req, c.question); forced {
		return callTool(ctx, req, call, emit)
	}
	reply := compose(req, c)
	if text, wanted := structured(req, reply, c.question); wanted {
		reply = text
	}
	reply = before(clean(reply), req.Stop)
	sent, finish, err := streamWords(ctx, reply, req.MaxOutputTokens, func(text string) error { return emit(Delta{Text: text}) })
	return builtInResult(req, reply[:sent], finish), err
}

func builtInResult(req Request, produced, finish string) Result {
	return Result{
		Usage: Usage{
			InputTokens:  tokens.CountMessages(BuiltInID, req.Prompt()) + ExtraTokens(BuiltInID, req.Extra),
			OutputTokens: tokens.Count(BuiltInID, produced),
		},
		FinishReason: finish,
		Cited:        Citations(produced, len(req.Knowledge)),
		Model:        BuiltInID,
	}
}

// callTool emits a call, its arguments a word at a time.
func callTool(ctx context.Context, req Request, call Call, emit func(Delta) error) (Result, error) {
	send := func(p CallPiece) error { return emit(Delta{Calls: EncodeCalls([]CallPiece{p})}) }
	if err := send(CallPiece{Call: Call{ID: call.ID, Name: call.Name}}); err != nil {
		return builtInResult(req, call.Name, ""), fmt.Errorf("emit: %w", err)
	}
	sent, finish, err := streamWords(ctx, clean(call.Arguments), req.MaxOutputTokens, func(text string) error {
		return send(CallPiece{Call: Call{Arguments: text}})
	})
	if finish == FinishStop {
		finish = FinishToolCalls
	}
	return builtInResult(req, call.Name+call.Arguments[:sent], finish), err
}

// before returns text up to the first of the stops.
func before(text string, stops []string) string {
	for _, stop := range stops {
		text, _, _ = strings.Cut(text, stop)
	}
	return text
}

// streamWords emits text until its end, the token limit (zero for none), the end
// of ctx or an error of emit, and returns how many bytes were handed to emit.
func streamWords(ctx context.Context, text string, tokensMax int, emit func(string) error) (sent int, finish string, err error) {
	// A token is a byte or more: most answers cannot reach the limit.
	limited, spent := tokensMax > 0 && len(text) > tokensMax, 0
	for sent < len(text) {
		if ctx.Err() != nil {
			return sent, "", fault.New(fault.Canceled, "The request was canceled.").Because(ctx.Err())
		}
		word := text[sent : sent+wordSize(text[sent:])]
		if limited {
			if spent += tokens.Count(BuiltInID, word); spent > tokensMax {
				return sent, FinishLength, nil
			}
		}
		sent += len(word)
		if err := emit(word); err != nil {
			return sent, "", fmt.Errorf("emit: %w", err)
		}
	}
	return sent, FinishStop, nil
}

// wordSize returns the length of text's first word and the blanks in front of
// it, which is also how models cut words.
func wordSize(text string) int {
	start := strings.IndexFunc(text, func(r rune) bool { return !unicode.IsSpace(r) })
	if start < 0 {
		return len(text)
	}
	_, first := utf8.DecodeRuneInString(text[start:])
	if end := strings.IndexFunc(text[start+first:], unicode.IsSpace); end >= 0 {
		return start + first + end
	}
	return len(text)
}
