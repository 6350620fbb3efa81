package provider

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync"
	"time"

	"parley/impl/outbound"
)

// AnswerTimeout bounds an answer, retries included.
const AnswerTimeout = 10 * time.Minute

// OpenAIOptions describe an OpenAI-compatible upstream. Zero values take the
// defaults named.
type OpenAIOptions struct {
	BaseURL string       // including /v1
	Key     string       // empty for upstreams without one
	Client  *http.Client // outbound.NewOperatorClient by default, whose connect deadline is 10 s; must not follow redirects

	FirstByteTimeout time.Duration // from sending the request to the first line of the answer; 60 s
	IdleTimeout      time.Duration // between two lines of an answer; 30 s
	TotalTimeout     time.Duration // the whole answer, retries included; AnswerTimeout

	RetriesMax    int           // further attempts before the first byte; 2, negative for none
	RetryDelayMax time.Duration // longest wait for a retry; a longer Retry-After ends the call; 5 s

	EventBytesMax  int // one event of a stream; 512 KiB
	OutputBytesMax int // the whole answer, reasoning included, and the body of one that is not streamed; 4 MiB
}

func (o OpenAIOptions) withDefaults() OpenAIOptions {
	setDefault(&o.FirstByteTimeout, 60*time.Second)
	setDefault(&o.IdleTimeout, 30*time.Second)
	setDefault(&o.TotalTimeout, AnswerTimeout)
	setDefault(&o.RetriesMax, 2)
	setDefault(&o.RetryDelayMax, 5*time.Second)
	setDefault(&o.EventBytesMax, 512<<10)
	setDefault(&o.OutputBytesMax, 4<<20)
	if o.Client == nil {
		o.Client = outbound.NewOperatorClient(0)
	}
	return o
}

func setDefault[T comparable](v *T, value T) {
	var zero T
	if *v == zero {
		*v = value
	}
}

// OpenAI is a Provider for any upstream that speaks OpenAI's chat completions.
// What an upstream refuses (stream_options, max_tokens, temperature) is left out
// from then on, per model.
type OpenAI struct {
	opts OpenAIOptions

	mu     sync.Mutex
	quirks map[string]quirks // by model
}

var _ Provider = (*OpenAI)(nil)

// NewOpenAI returns a provider for the upstream that o describes. It does not
// contact it.
func NewOpenAI(o OpenAIOptions) *OpenAI {
	return &OpenAI{opts: o.withDefaults(), quirks: map[string]quirks{}}
}

// address is where the upstream has what path names. A query in the base URL stays.
func (o *OpenAI) address(path string) string {
	base, query, found := strings.Cut(o.opts.BaseURL, "?")
	base = strings.TrimSuffix(base, "/") + "/" + path
	if found {
		return base + "?" + query
	}
	return base
}

// Chat implements Provider. Retries happen only before the first byte of an
// answer: on connection errors, 429 and 5xx.
func (o *OpenAI) Chat(ctx context.Context, req Request, emit func(Delta) error) (Result, error) {
	w := newWatchdog(ctx, o.opts.TotalTimeout)
	defer w.stop()
	q := o.quirksOf(req.Model)
	for retries := 0; ; {
		a := &answer{req: req, emit: emit, bytesMax: o.outputBytesMax(req)}
		failure := o.attempt(w, a, q)
		blame(failure, req)
		if failure == nil {
			q.proven = true
			o.learn(req.Model, q)
			return a.result(), nil
		}
		if a.begun || w.ctx.Err() != nil {
			return a.result(), w.refusal(a, failure)
		}
		if adapted, ok := q.adapt(failure); ok {
			q = adapted
			continue
		}
		delay, ok := o.retryDelay(failure, retries)
		if !ok || !w.wait(delay) {
			return a.result(), w.refusal(a, failure)
		}
		retries++
	}
}

// outputBytesMax holds an upstream to the tokens asked for, as those are what
// was reserved: tokens of more than 32 bytes on average are no text.
func (o *OpenAI) outputBytesMax(req Request) int {
	if n := req.MaxOutputTokens; n > 0 && n < o.opts.OutputBytesMax/32 {
		return n*32 + 4096
	}
	return o.opts.OutputBytesMax
}

// attempt makes one request and reads its answer into a.
func (o *OpenAI) attempt(w *watchdog, a *answer, q quirks) error {
	raw, err := chatRequest(a.req, q)
	if err != nil {
		return err
	}
	r, err := newPost(w.ctx, o.address("chat/completions"), raw)
	if err != nil {
		return err
	}
	r.Header.Set("Accept", "text/event-stream, application/json")
	w.arm(o.opts.FirstByteTimeout)
	defer w.disarm()
	res, err := send(o.opts.Client, r, o.opts.Key)
	if err != nil {
		return err
	}
	switch media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")); media {
	case "text/event-stream", "":
		return o.readStream(w, a, res.Body)
	case "application/json": // from an upstream that does not stream
		body, err := readWhole(res, int64(o.opts.OutputBytesMax))
		w.disarm()
		if err != nil {
			return err
		}
		return a.readPlain(body)
	}
	_ = res.Body.Close() // it is of no use
	return errContentType
}

func (o *OpenAI) readStream(w *watchdog, a *answer, body io.ReadCloser) error {
	stream := newEvents(body, w, o.opts.IdleTimeout, o.opts.EventBytesMax)
	read, whole := new(alike).read, true
	if a.req.Extra["logprobs"] != nil {
		read = readChunk
	}
	defer func() {
		a.begun = a.begun || stream.readAny
		stream.close(whole)
	}()
	for {
		name, data, err := stream.next()
		if errors.Is(err, io.EOF) || bytes.HasPrefix(data, lastEvent) {
			return a.finish(stream.ended)
		}
		if err != nil {
			return err
		}
		c, err := read(name, data)
		if err == nil {
			err = a.add(c)
		}
		if err != nil {
			whole = false
			return err
		}
	}
}
