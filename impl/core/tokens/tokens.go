// Package tokens counts text in tokens and cuts a conversation to a model's
// context. Counts decide what is kept and, where an upstream reports none, what
// is charged.
//
// The vocabularies are compiled in, so nothing is fetched at run time, and each
// is built on its first use: o200k takes about 12 MB of resident memory and
// 30 ms, cl100k 6 MB more. A server that has not yet answered holds neither.
package tokens

import (
	"errors"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/tiktoken-go/tokenizer/codec"
)

// Role says who wrote a message.
type Role string

// The roles that every chat model knows.
const (
	RoleSystem    Role = "system"
	RoleUser      Role = "user"
	RoleAssistant Role = "assistant"
	RoleTool      Role = "tool" // what a tool gave back to the model that called it
)

// Message is one entry of what a model reads.
type Message struct {
	Role    Role
	Content string

	// Raw is the message as its sender wrote it, a JSON object in OpenAI's shape, when it
	// holds more than Role and Content can say; otherwise "". Models that understand that shape read it in their place.
	Raw string
	// Beside and Pictures are what of Raw a model reads beside Content.
	Beside   string
	Pictures int
	// Images are the addresses of pictures that the message shows after Content, mostly data
	// URLs; Pictures counts them. Only of messages without Raw.
	Images []string
}

const (
	// windowBytes bounds the pieces that are tokenized at once. The splitting
	// expression is quadratic on runs of blanks and line ends (2.5 s for 64 kB
	// of them in one piece, 30 ms in windows of this size).
	windowBytes = 512
	// exactBytesMax is the length up to which every byte is read. Longer text
	// is measured by samplesMax windows spread over it.
	exactBytesMax = 64 << 10
	samplesMax    = 64

	// OpenAI's published framing of chat messages: each carries three tokens
	// and its role, and the answer is primed with three more.
	messageTokens = 4
	primingTokens = 3
	// pictureTokens is what a picture of ordinary size costs with the usual models.
	pictureTokens = 1000
)

var (
	o200k  = sync.OnceValue(codec.NewO200kBase)
	cl100k = sync.OnceValue(codec.NewCl100kBase)
)

// Count returns how many tokens model makes of text. Models of the GPT-4 and
// GPT-3.5 families and older embeddings count by cl100k_base, all others by
// o200k_base; for models with a vocabulary of their own it is an estimate.
// Text over 64 kB is estimated from samples, so that the cost stays bounded
// whatever the text holds. It is safe for concurrent use.
func Count(model, text string) int {
	if text == "" {
		return 0
	}
	if old := countsAsOld(model); old {
		return counts.count(cl100k(), old, text)
	}
	return counts.count(o200k(), false, text)
}

// count reads text by a vocabulary.
func count(c *codec.Codec, text string) int {
	if len(text) > exactBytesMax {
		return sample(c, text)
	}
	n := 0
	for text != "" {
		size := windowSize(text)
		n += countWindow(c, text[:size])
		text = text[size:]
	}
	return n
}

// ErrNoToken is the error of Text for a number that stands for no token.
var ErrNoToken = errors.New("no token has this number")

// Text returns what cl100k_base tokens stand for: clients of embeddings that
// were written for OpenAI's cut texts themselves, and send the tokens' numbers.
func Text(numbers []uint) (string, error) {
	text, err := cl100k().Decode(numbers)
	if err != nil {
		return "", ErrNoToken
	}
	return strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "\uFFFD"), nil
}

// CountMessages returns how many tokens model reads for messages as one prompt,
// the framing of each message and of the answer included. No messages cost 0.
func CountMessages(model string, messages []Message) int {
	if len(messages) == 0 {
		return 0
	}
	n := primingTokens
	for _, m := range messages {
		n += countMessage(model, m)
	}
	return n
}

func countMessage(model string, m Message) int {
	return messageTokens + Count(model, m.Content) + Count(model, m.Beside) + m.Pictures*pictureTokens
}

// countsAsOld tells the vocabulary by the model's name without the vendor's prefix
// ("openai/gpt-4") and the mark of a fine-tuned one ("ft:gpt-4:…"): cl100k_base or o200k_base.
func countsAsOld(model string) bool {
	name := strings.TrimPrefix(strings.ToLower(model[strings.LastIndexByte(model, '/')+1:]), "ft:")
	old := name == "gpt-4" || strings.HasPrefix(name, "gpt-4-") || strings.HasPrefix(name, "gpt-4:") ||
		strings.HasPrefix(name, "gpt-3.5") || strings.HasPrefix(name, "gpt-35") || strings.HasPrefix(name, "text-embedding-")
	// "gpt-4-o" is how some clients write gpt-4o.
	return old && !strings.HasPrefix(name, "gpt-4-o")
}

// sample counts windows at even distances and scales up.
func sample(c *codec.Codec, text string) int {
	stride := len(text) / samplesMax
	count, read := 0, 0
	for i := range samplesMax {
		window := text[i*stride:]
		window = window[:windowSize(window)]
		count += countWindow(c, window)
		read += len(window)
	}
	return int(int64(count) * int64(len(text)) / int64(read))
}

// windowSize returns the length of text's next window. A cut in front of a
// blank that begins a word never changes the count; where there is none, the
// cut falls between two runes and costs at most about one token.
func windowSize(text string) int {
	if len(text) <= windowBytes {
		return len(text)
	}
	for i := windowBytes - 1; i > windowBytes/2; i-- {
		if text[i] == ' ' && !isBlank(text[i+1]) {
			return i
		}
	}
	for i := windowBytes; i > windowBytes-utf8.UTFMax; i-- {
		if utf8.RuneStart(text[i]) {
			return i
		}
	}
	return windowBytes
}

func isBlank(b byte) bool { return b == ' ' || b == '\t' || b == '\n' || b == '\r' }

func countWindow(c *codec.Codec, window string) int {
	n, err := c.Count(window)
	if err != nil {
		return len(window)/4 + 1
	}
	return n
}
