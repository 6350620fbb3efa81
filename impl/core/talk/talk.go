// Package talk shows administrators what was said on every surface of their
// account: conversations, chats of flows, and answers without either.
//
// There is no index of all of it, which every answer would have to pay for. Each
// kind is walked in its own order, the newest first, and the walks are merged. A
// page looks at a bounded number of rows and messages, so that searching a large
// account is a matter of several pages, some of which may be empty.
package talk

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"parley/db"
	"parley/impl/core/fault"
)

const (
	walkMax     = 1000 // rows of a source that a page looks at
	messagesMax = 6000 // messages, of all sources, in which a page looks for a text
	ended       = "."  // the place of a source that has no more
)

var (
	errMissing = fault.New(fault.NotFound, "Conversation not found")
	errNoPage  = fault.New(fault.NotFound, "The list has no such page.")
)

// bySurface are the sources of one surface.
var bySurface = map[string][]db.TalkSource{
	"webchat": {db.TalksOfWebchat}, "characters": {db.TalksOfCharacters}, "engagement": {db.TalksOfEngagement, db.TalksOfTurns}, "realtime": {db.TalksOfRealtime},
	"projects": {db.TalksOfProjects}, "chats": {db.TalksOfChats}, "openai": {db.TalksOfTurns},
}

// Service reads talks.
type Service struct {
	DB *db.DB
	// Asked reads what a log keeps of a request, by surface, as people would.
	Asked map[string]func(kept string) string
}

// Filter chooses talks. Empty members choose nothing away.
type Filter struct {
	Surface   string
	AgentID   string
	ProjectID int64
	EndUser   string
	Search    string // a text of a title or a message, in whichever case
	From, To  time.Time
	Cursor    string // of Page.Next
	Limit     int
}

// Page is some talks, the newest first, and where the next page starts: "" after the last.
// It may hold fewer than there are, even none, and yet not be the last.
type Page struct {
	Talks []db.Talk
	Next  string
}

// walk is what a page found of a source.
type walk struct {
	source db.TalkSource
	from   string // where it began
	found  []db.Talk
	end    *db.Talk // where it ended while there is more; nil at the end of the source
}

// List returns a page of the account's talks. A cursor that is none is a NotFound fault.
func (s *Service) List(ctx context.Context, accountID string, f Filter) (Page, error) {
	places, err := placesOf(f.Cursor)
	if err != nil {
		return Page{}, err
	}
	var walks []walk
	sources := f.sources()
	for _, source := range sources {
		if places[source] == ended {
			continue
		}
		w, err := s.walk(ctx, accountID, source, db.TalkFilter{Before: places[source], Messages: messagesMax / len(sources)}, f)
		if err != nil {
			return Page{}, err
		}
		walks = append(walks, w)
	}
	return merged(walks, places, f.Limit), nil
}

// sources are those that can have what fits.
func (f Filter) sources() []db.TalkSource {
	sources := db.TalkSources
	if f.Surface != "" {
		sources = bySurface[f.Surface]
	}
	if f.ProjectID != 0 {
		if !slices.Contains(sources, db.TalksOfProjects) {
			return nil
		}
		return []db.TalkSource{db.TalksOfProject}
	}
	if f.AgentID != "" { // of which the others know nothing
		return slices.DeleteFunc(slices.Clone(sources), func(s db.TalkSource) bool { return s == db.TalksOfChats || s == db.TalksOfTurns })
	}
	return sources
}

func (s *Service) walk(ctx context.Context, accountID string, source db.TalkSource, filter db.TalkFilter, f Filter) (walk, error) {
	from := filter.Before
	filter.AgentID, filter.ProjectID, filter.EndUser, filter.From, filter.To = f.AgentID, f.ProjectID, f.EndUser, f.From, f.To
	filter.Walk, filter.Limit = walkMax, f.Limit+1
	if source == db.TalksOfTurns {
		filter.Surface = f.Surface
	} else if f.AgentID == "" && f.EndUser == "" && f.Search == "" && f.From.IsZero() && f.To.IsZero() {
		filter.Walk = f.Limit + 1 // all of it fits
	}
	if from == "" && !f.To.IsZero() {
		filter.Before = startOf(source, f.To)
	}
	if f.Search != "" {
		filter.Pattern = "%" + strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(f.Search) + "%"
	}
	rows, err := s.DB.Talks(ctx, accountID, source, filter)
	if err != nil {
		return walk{}, err
	}
	w := walk{source: source, from: from}
	for _, row := range rows {
		if row.Fits {
			w.found = append(w.found, row)
		}
	}
	if n := len(rows); n > 0 && (rows[n-1].More || n > f.Limit) && !rows[n-1].CreatedAt.Before(f.From) {
		w.end = &rows[n-1]
	}
	return w, nil
}

// merged is the newest of what the walks found. What is older than the end of a
// walk has to wait for what that walk has not seen yet.
func merged(walks []walk, places map[db.TalkSource]string, limit int) Page {
	var horizon time.Time
	var talks []db.Talk
	for _, w := range walks {
		talks = append(talks, w.found...)
		if w.end != nil && w.end.CreatedAt.After(horizon) {
			horizon = w.end.CreatedAt
		}
	}
	slices.SortStableFunc(talks, func(a, b db.Talk) int { return b.CreatedAt.Compare(a.CreatedAt) })
	seen := slices.IndexFunc(talks, func(t db.Talk) bool { return t.CreatedAt.Before(horizon) })
	if seen < 0 {
		seen = len(talks)
	}
	page := Page{Talks: talks[:min(seen, limit)]}
	shown := map[string]bool{}
	for _, t := range page.Talks {
		shown[t.ID] = true
	}
	more := false
	for _, w := range walks {
		place := w.next(shown)
		places[w.source] = place
		more = more || place != ended
	}
	if more {
		page.Next = cursorOf(places)
	}
	return page
}

// next is where the source goes on after a page that shows these talks.
func (w walk) next(shown map[string]bool) string {
	place := w.from
	for _, t := range w.found {
		if !shown[t.ID] {
			return place
		}
		place = t.Place
	}
	if w.end == nil {
		return ended
	}
	return w.end.Place
}

func placesOf(cursor string) (map[db.TalkSource]string, error) {
	places := map[db.TalkSource]string{}
	if cursor == "" {
		return places, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err == nil {
		err = json.Unmarshal(raw, &places)
	}
	if err != nil {
		return nil, errNoPage
	}
	for source, place := range places {
		if !formOf(source).MatchString(place) {
			return nil, errNoPage
		}
	}
	return places, nil
}

func cursorOf(places map[db.TalkSource]string) string {
	raw, err := json.Marshal(places)
	if err != nil {
		panic(err) // a map of texts
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

// Get returns one talk of the account; any other is a NotFound fault.
func (s *Service) Get(ctx context.Context, accountID, talkID string) (db.Talk, error) {
	t, err := s.DB.Talk(ctx, accountID, talkID)
	if errors.Is(err, db.ErrNotFound) {
		return t, errMissing
	}
	return t, err
}
