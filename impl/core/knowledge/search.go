package knowledge

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"parley/db"
	"parley/impl/core/key"
	"parley/impl/core/provider"
	"parley/impl/core/tokens"
)

const (
	// passagesMax is how many passages a search returns unless it is asked for another number.
	passagesMax = 6
	// perPageMax keeps one long page from taking all the places.
	perPageMax = 3
	// collectionsMax bounds what one search costs.
	collectionsMax = 20
)

// Scope is where to search.
type Scope struct {
	AccountID   string
	Collections []string
}

// Query is what to search for.
type Query struct {
	Question string
	History  []tokens.Message // the conversation before it, the oldest first
	Limit    int              // how many passages at most; 6 when zero
	Caller   key.Caller       // who asks, and pays for the question's vector where there is a model for it
}

// Passage is a piece of a page that may answer a question. What people set in
// the page's metadata stands in place of what was extracted.
type Passage struct {
	PageID       string
	Seq          int   // which chunk of the page
	Number       int64 // of the page, for surfaces whose ids are numbers
	CollectionID string
	IsFile       bool
	Title        string
	URL          string // "" for an upload
	Description  string
	Image        string
	Heading      string // the path of headings above the text
	Text         string
	Score        float64 // comparable within one search
}

// Search returns the passages that answer the question best, the best first;
// none when nothing in the collections supports an answer.
func (s *Service) Search(ctx context.Context, scope Scope, q Query) ([]Passage, error) {
	asked, leaning := rewrite(q.Question, q.History)
	if strings.TrimSpace(asked) == "" || len(scope.Collections) == 0 {
		return nil, nil
	}
	meant := s.embedQuestion(ctx, scope.AccountID, q.Caller, strings.TrimSpace(asked+"\n"+leaning))
	texts := []string{Searchable(asked), Searchable(leaning)}
	var all []candidate
	for _, collectionID := range scope.Collections[:min(len(scope.Collections), collectionsMax)] {
		found, err := s.searchCollection(ctx, scope.AccountID, collectionID, texts, meant)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	slices.SortStableFunc(all, byScore)
	if q.Limit == 0 {
		q.Limit = passagesMax
	}
	share := keepShare
	if meant.vector != nil {
		share = 0 // sums of ranks tell an order, not how much better one is
	}
	return s.load(ctx, scope.AccountID, all, q.Limit, share)
}

// searchCollection returns candidates, the best first.
func (s *Service) searchCollection(ctx context.Context, accountID, collectionID string, texts []string, meant meaning) ([]candidate, error) {
	terms, err := s.DB.QuestionTerms(ctx, accountID, collectionID, texts)
	if err != nil {
		return nil, err
	}
	near := s.near(ctx, accountID, collectionID, meant)
	if len(terms) == 0 {
		return fuse(nil, nil, near, meant.vector), nil
	}
	w := readWords(terms)
	var found []db.MatchedChunk
	seen := map[db.ChunkRef]bool{}
	for _, match := range w.matches() {
		query := db.ChunkQuery{Match: match, Rank: w.any(), Terms: w.queries(), Cap: w.budget(), Top: candidatesMax}
		more, err := s.DB.MatchChunks(ctx, accountID, collectionID, query, meant.model)
		if err != nil {
			return nil, err
		}
		for _, m := range more {
			if ref := (db.ChunkRef{PageID: m.PageID, Seq: m.Seq}); !seen[ref] {
				seen[ref] = true
				found = append(found, m)
			}
		}
		if len(found) >= enough {
			break
		}
	}
	return fuse(w.score(found), found, near, meant.vector), nil
}

// load reads the passages of the best candidates: no text twice, of no page
// more than a few, none with less than a share of the best one's score.
func (s *Service) load(ctx context.Context, accountID string, all []candidate, limit int, share float64) ([]Passage, error) {
	// Some of them fall away.
	all = all[:min(len(all), 4*limit)]
	if len(all) == 0 {
		return nil, nil
	}
	refs := make([]db.ChunkRef, len(all))
	for i, c := range all {
		refs[i] = c.ref
	}
	rows, err := s.DB.Passages(ctx, accountID, refs)
	if err != nil {
		return nil, err
	}
	byRef := map[db.ChunkRef]db.Passage{}
	for _, row := range rows {
		byRef[db.ChunkRef{PageID: row.PageID, Seq: row.Seq}] = row
	}
	var out []Passage
	said, ofPage := map[string]bool{}, map[string]int{}
	for _, c := range all {
		row, there := byRef[c.ref]
		if !there || said[row.Body] || ofPage[row.PageID] == perPageMax {
			continue
		}
		if len(out) > 0 && c.score < share*out[0].Score {
			break
		}
		said[row.Body] = true
		ofPage[row.PageID]++
		if out = append(out, passage(row, c.score)); len(out) == limit {
			break
		}
	}
	return out, nil
}

func passage(row db.Passage, score float64) Passage {
	p := Passage{
		PageID: row.PageID, Seq: row.Seq, Number: row.Number, CollectionID: row.CollectionID, IsFile: row.IsFile, Title: row.Title,
		URL: row.URL, Description: row.Description, Image: row.Image, Heading: row.Heading, Text: row.Body, Score: score,
	}
	if row.IsFile {
		p.URL = ""
	}
	if p.Title == "" {
		p.Title = row.FileName
	}
	m := metadataOf(row.Metadata)
	replace(&p.Title, m.Title)
	replace(&p.URL, m.URL)
	replace(&p.Description, m.Description)
	replace(&p.Image, m.Image)
	return p
}

func replace(text *string, by *string) {
	if by != nil {
		*text = *by
	}
}

// Metadata is what people say of a page in place of what was extracted; nil: nothing.
type Metadata struct {
	Title       *string `json:"title,omitempty"`
	URL         *string `json:"url,omitempty"`
	Description *string `json:"description,omitempty"`
	Image       *string `json:"image,omitempty"`
}

func metadataOf(raw []byte) Metadata {
	var m Metadata
	if len(raw) > 0 {
		_ = json.Unmarshal(raw, &m) // written by SetMetadata
	}
	return m
}

// Offered is passages as turn.Input.Knowledge takes them.
func Offered(passages []Passage) []provider.Passage {
	out := make([]provider.Passage, len(passages))
	for i, p := range passages {
		text := p.Text
		if p.Heading != "" && p.Heading != p.Title {
			text = p.Heading + "\n" + text
		}
		out[i] = provider.Passage{ID: p.PageID, Title: p.Title, URL: p.URL, Text: text}
	}
	return out
}
