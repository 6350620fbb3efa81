package tokens

import (
	"slices"

	"parley/impl/core/fault"
)

// Fit returns the messages that leave reserveOutput tokens of a context of
// contextTokens for model's answer. System messages and the last user message
// are always kept, then the newest others; the oldest go first, always whole,
// and order is preserved; results of tools go with the message that called them. A contextTokens of zero or less means unknown:
// everything is kept. The result may share memory with messages.
//
// Its error is a fault of kind TooLarge when what must be kept does not fit.
func Fit(model string, messages []Message, contextTokens, reserveOutput int) ([]Message, error) {
	if contextTokens <= 0 {
		return messages, nil
	}
	left := contextTokens - reserveOutput - primingTokens
	keep := make([]bool, len(messages))
	last := lastUser(messages)
	for i, m := range messages {
		if m.Role == RoleSystem || i == last {
			keep[i] = true
			left -= countMessage(model, m)
		}
	}
	if left < 0 {
		return nil, fault.New(fault.TooLarge, "The message does not fit the model's context of %d tokens.", contextTokens)
	}
	keepNewest(model, messages, keep, left)
	return kept(messages, keep), nil
}

func lastUser(messages []Message) int {
	for i := len(messages) - 1; i >= 0; i-- {
		if messages[i].Role == RoleUser {
			return i
		}
	}
	return -1
}

// keepNewest marks messages from the end until the first that does not fit:
// a gap in the middle of a conversation would mislead the model.
func keepNewest(model string, messages []Message, keep []bool, left int) {
	for i := len(messages) - 1; i >= 0; i-- {
		if keep[i] {
			continue
		}
		left -= countMessage(model, messages[i])
		if left < 0 {
			orphan(messages[i+1:], keep[i+1:])
			return
		}
		keep[i] = true
	}
}

// orphan drops the results at the beginning of messages: the calls that they
// belong to are not kept, and no model takes one without the other.
func orphan(messages []Message, keep []bool) {
	for i, m := range messages {
		if m.Role != RoleTool {
			return
		}
		keep[i] = false
	}
}

func kept(messages []Message, keep []bool) []Message {
	if !slices.Contains(keep, false) {
		return messages
	}
	var out []Message
	for i, m := range messages {
		if keep[i] {
			out = append(out, m)
		}
	}
	return out
}
