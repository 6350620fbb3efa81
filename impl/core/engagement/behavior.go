// Package engagement turns what end users do into figures: how engaged they
// are, how steadily, how deeply, and what may help. The formulas are in
// figures.go, on one page; everything else reads from the sums that the
// database keeps of a quarter of an hour each.
package engagement

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"parley/db"
	"parley/impl/core/fault"
	"parley/impl/core/id"
)

const (
	// EventsMax is how many events may be recorded at once: a batch of 1,000 and one beside.
	EventsMax = 1001
	// future is how far clocks of reporters may be ahead.
	future = 5 * time.Minute
	// propertiesMax bounds what is kept of an event besides its figures, in bytes.
	propertiesMax = 4096
	nameMax       = 128
	typeMax       = 64
	secondsMax    = 7 * 24 * 3600
	// Attention beyond these counts no more: what stays open is not what is read (BLO's content depth).
	creationDepth, otherDepth = 300.0, 180.0
)

// earliest is before anything that a product of today can have observed; what
// is earlier is a mistake in units.
var earliest = time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC)

// Behavior is what one event reports. Seconds is how long it took; At zero means now.
type Behavior struct {
	EventID    string
	UserID     string
	Type       string
	At         time.Time
	Seconds    float64
	Properties map[string]any
}

// The weights of the kinds of activity, and of social acts (wire facts A3).
const (
	creationWeight, interactionWeight, reactionWeight = 1.0, 0.7, 0.3
)

type activity int

const (
	reaction activity = iota
	interaction
	creation
)

// motive is what an act speaks of.
type motive int

const (
	noMotive motive = iota
	achievement
	social
	mastery
	progress
)

// meaning is what a type of event adds up to.
type meaning struct {
	activity activity
	motive   motive
	social   int64 // points in thousandths; 0 for what is not social
}

// meanings are the types that mean something of their own. Any other type is a reaction.
var meanings = map[string]meaning{
	"content_creation": {creation, noMotive, 0},
	"post":             {creation, noMotive, 0},
	"interaction":      {interaction, social, 0},
	"reaction":         {reaction, noMotive, 0},
	"view":             {reaction, noMotive, 0},
	"dm":               {interaction, social, 1000},
	"comment":          {interaction, social, 500},
	"share":            {interaction, social, 300},
	"like":             {reaction, social, 100},
	"collaboration":    {interaction, social, 1500},
	"task_completed":   {interaction, achievement, 0},
	"badge_earned":     {reaction, achievement, 0},
	"skill_progress":   {interaction, mastery, 0},
	"learning":         {interaction, mastery, 0},
	"goal_progress":    {interaction, progress, 0},
	"milestone":        {interaction, progress, 0},
}

// Outcome is what became of one reported event.
type Outcome struct {
	EventID   string // given, or minted
	Duplicate bool   // it was counted before
	Refusal   string // why it was not stored; "" when it was
}

// Record stores a batch of at most EventsMax events and answers one outcome
// for each, in order. An event counts once, however often it is reported.
func (s *Service) Record(ctx context.Context, accountID string, batch []Behavior) ([]Outcome, error) {
	if len(batch) > EventsMax {
		return nil, fault.New(fault.Invalid, "events: at most %d may be sent at once.", EventsMax)
	}
	now := s.Now()
	outcomes := make([]Outcome, len(batch))
	rows, places := make([]db.EngagementEvent, 0, len(batch)), make([]int, 0, len(batch))
	type name struct{ user, event string }
	seen := make(map[name]bool, len(batch))
	for i, b := range batch {
		row, refusal := b.row(now)
		outcomes[i] = Outcome{EventID: row.ID, Refusal: refusal}
		if refusal != "" {
			continue
		}
		if n := (name{row.UserID, row.ID}); seen[n] {
			outcomes[i].Duplicate = true
			continue
		} else {
			seen[n] = true
		}
		rows, places = append(rows, row), append(places, i)
	}
	if len(rows) == 0 {
		return outcomes, nil
	}
	fresh, err := s.DB.RecordEngagement(ctx, accountID, rows)
	if err != nil {
		return nil, err
	}
	counted := make(map[int]bool, len(fresh))
	for _, row := range fresh {
		counted[places[row]] = true
	}
	for _, i := range places {
		// An event without an id of its own is new, even when a statement that was carried out twice finds it stored.
		outcomes[i].Duplicate = !counted[i] && batch[i].EventID != ""
	}
	return outcomes, nil
}

// row checks the event and sums what it counts for; refusal says what is wrong with it.
func (b Behavior) row(now time.Time) (row db.EngagementEvent, refusal string) {
	row = db.EngagementEvent{UserID: b.UserID, ID: b.EventID, At: b.At, Dated: true, Type: b.Type, Seconds: b.Seconds}
	switch {
	case !isName(b.UserID, nameMax):
		return row, fmt.Sprintf("user_id: must be 1 to %d characters, without control characters.", nameMax)
	case b.EventID != "" && !isName(b.EventID, nameMax):
		return row, fmt.Sprintf("event_id: must be at most %d characters, without control characters.", nameMax)
	case !isName(b.Type, typeMax):
		return row, fmt.Sprintf("type: must be 1 to %d characters, without control characters.", typeMax)
	case !b.At.IsZero() && b.At.After(now.Add(future)):
		return row, "at: lies in the future."
	case !b.At.IsZero() && b.At.Before(earliest):
		return row, "at: lies before 1990."
	case !(b.Seconds >= 0 && b.Seconds <= secondsMax):
		return row, fmt.Sprintf("duration_seconds: must be 0 to %d.", secondsMax)
	}
	properties, err := encodeProperties(b.Properties)
	if err != nil {
		return row, err.Error()
	}
	row.Properties = properties
	if row.ID == "" {
		row.ID = id.New("evt_")
	}
	if b.At.IsZero() {
		row.At, row.Dated = now, b.EventID == ""
	}
	row.At = row.At.UTC().Truncate(time.Microsecond) // as Postgres keeps it
	count(&row)
	return row, ""
}

// count fills in what the event adds to its slot.
func count(row *db.EngagementEvent) {
	m := meanings[row.Type]
	limit := otherDepth
	switch m.activity {
	case creation:
		row.Creation, limit = 1, creationDepth
	case interaction:
		row.Interaction = 1
	default:
		row.Reaction = 1
	}
	row.SocialPoints = m.social
	if row.Seconds > 0 {
		row.Depths, row.DepthPoints = 1, int64(min(row.Seconds, limit)/limit*1000+0.5)
	}
	switch m.motive {
	case achievement:
		row.Achievement = 1
	case social:
		row.Social = 1
	case mastery:
		row.Mastery = 1
	case progress:
		row.Progress = 1
	}
}

func isName(text string, most int) bool {
	return text != "" && utf8.RuneCountInString(text) <= most && !strings.ContainsFunc(text, unicode.IsControl)
}

func encodeProperties(properties map[string]any) (string, error) {
	if len(properties) == 0 {
		return "{}", nil
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(properties); err != nil {
		return "", fmt.Errorf("properties: %w", err)
	}
	if out.Len() > propertiesMax {
		return "", fmt.Errorf("properties: must be at most %d bytes of JSON", propertiesMax)
	}
	return out.String(), nil
}
