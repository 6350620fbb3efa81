package turn

import (
	"strings"

	"parley/impl/core/provider"
)

// calls collects what an answer has beside its text.
type calls struct {
	pieces []provider.CallPiece
	probs  []string
}

// add takes in pieces as provider.EncodeCalls wrote them.
func (c *calls) add(encoded string) {
	pieces, err := provider.DecodeCalls(encoded)
	if err != nil {
		return // never: encoded by us
	}
	c.pieces = append(c.pieces, pieces...)
}

func (c *calls) joined() []provider.Call { return provider.JoinCalls(c.pieces) }

// text is what the model wrote of calls, for counting.
func (c *calls) text() string {
	var b strings.Builder
	for _, call := range c.joined() {
		b.WriteString(call.Name)
		b.WriteString(call.Arguments)
	}
	return b.String()
}

// logprobs takes in a JSON array.
func (c *calls) logprobs(array string) {
	if inner := strings.TrimSuffix(strings.TrimPrefix(array, "["), "]"); inner != "" {
		c.probs = append(c.probs, inner)
	}
}

// allLogprobs joins the arrays; "" without any.
func (c *calls) allLogprobs() string {
	if len(c.probs) == 0 {
		return ""
	}
	return "[" + strings.Join(c.probs, ",") + "]"
}
