package turn

import (
	"context"
	"encoding/json"
	"strings"

	"parley/db"
	"parley/impl/core/provider"
	"parley/impl/core/tokens"
)

// Knowledge is what an answer is made from: what knowledge.Service.Search
// found, through knowledge.Offered.
type Knowledge struct {
	Passages []provider.Passage // the best first; those that do not fit the model's context are left out
	// Only admits answers from passages alone: when there are none, NoAnswer is
	// the answer, and no model is asked or paid.
	Only     bool
	NoAnswer string
	// Unmarked takes the marks of citations, as [1], out of the text. What the answer cites is recorded all the same.
	Unmarked bool
}

// Citation is a passage that an answer cites, as it is stored with its message.
type Citation struct {
	N      int    `json:"n"` // its number in the answer's text, as in [1]
	PageID string `json:"page_id"`
	Title  string `json:"title,omitempty"`
	URL    string `json:"url,omitempty"`
	// Excerpt is the beginning of the passage, in one line.
	Excerpt string `json:"excerpt,omitempty"`
}

// find fills in what the answer is made from, unless its surface has decided that.
func (e *Engine) find(ctx context.Context, in *Input) error {
	if e.Knowledge == nil || in.Knowledge != nil || in.Work != nil {
		return nil
	}
	var err error
	in.Knowledge, err = e.Knowledge(ctx, *in)
	return err
}

// Cited reads the citations that are stored with a message; nil without any.
func Cited(stored []byte) []Citation {
	var cited []Citation
	_ = json.Unmarshal(stored, &cited) // written by this package, or nothing
	return cited
}

const (
	// excerptRunes is how much of a passage its citation shows.
	excerptRunes = 300
	// knowledgeTokensMax bounds what passages add to the cost of an answer.
	knowledgeTokensMax = 4000
	// passageFraming are the tokens of the message that holds the passages.
	passageFraming = 4
)

// passagesFor returns the passages that a model is offered, at most half of
// what it can read, and how many tokens they take.
func passagesFor(in Input, m db.Model) ([]provider.Passage, int) {
	if in.Knowledge == nil {
		return nil, 0
	}
	room := knowledgeTokensMax
	if m.ContextTokens > 0 {
		room = min(room, (m.ContextTokens-m.MaxOutputTokens)/2)
	}
	for n := len(in.Knowledge.Passages); n > 0; n-- {
		passages := in.Knowledge.Passages[:n]
		if used := tokens.Count(m.UpstreamName, provider.KnowledgePrompt(passages)) + passageFraming; used <= room {
			return passages, used
		}
	}
	return nil, 0
}

// fit cuts messages to what a model can read beside the passages and what it
// reads in another form. Passages give way where what must be kept leaves no room for them.
func fit(all []provider.Message, passages []provider.Passage, used int, m db.Model, beside int) ([]provider.Message, []provider.Passage, int, error) {
	context := m.ContextTokens
	if context > 0 {
		context -= used
	}
	fitted, err := tokens.Fit(m.UpstreamName, all, context, m.MaxOutputTokens+beside)
	if err != nil && len(passages) > 0 {
		return fit(all, nil, 0, m, beside)
	}
	if err != nil {
		return nil, nil, 0, err
	}
	return fitted, passages, tokens.CountMessages(m.UpstreamName, fitted) + used + beside, nil
}

// unanswerable tells whether nothing may be said but that there is no answer.
func (r *run) unanswerable() bool {
	return r.knowledge != nil && r.knowledge.Only && len(r.knowledge.Passages) == 0
}

// decline answers that there is no answer, which costs nothing.
func (r *run) decline() (provider.Result, error) {
	err := r.emit(provider.Delta{Text: r.knowledge.NoAnswer})
	return provider.Result{FinishReason: provider.FinishStop}, err
}

// citations are the passages that an answer really cites.
func (r *run) citations(cited []int) []Citation {
	var out []Citation
	for _, i := range cited {
		if i >= 0 && i < len(r.passages) {
			p := r.passages[i]
			out = append(out, Citation{N: i + 1, PageID: p.ID, Title: p.Title, URL: p.URL, Excerpt: excerpt(p.Text)})
		}
	}
	return out
}

func excerpt(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > excerptRunes {
		return string(runes[:excerptRunes]) + "…"
	}
	return text
}
