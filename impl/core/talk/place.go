package talk

import (
	"regexp"
	"strconv"
	"time"

	"parley/db"
	"parley/impl/core/id"
)

var (
	numberForm = regexp.MustCompile(`^([0-9]{1,16}|\.)?$`)
	idForm     = regexp.MustCompile(`^([A-Za-z0-9_-]{1,64}|\.)?$`)
)

// formOf is what a place in a source looks like.
func formOf(source db.TalkSource) *regexp.Regexp {
	if source == db.TalksOfProjects || source == db.TalksOfProject {
		return numberForm
	}
	return idForm
}

// startOf is a place that what was made before a time comes after; "" where
// places do not tell times. The clocks that made ids and rows may differ a little.
func startOf(source db.TalkSource, before time.Time) string {
	before = before.Add(time.Minute)
	switch source {
	case db.TalksOfWebchat, db.TalksOfRealtime:
		return id.From(id.Session, before)
	case db.TalksOfCharacters, db.TalksOfEngagement:
		return id.From(id.Conversation, before)
	case db.TalksOfTurns:
		return id.From(id.Turn, before)
	case db.TalksOfProjects, db.TalksOfProject:
		return strconv.FormatInt(id.NumberFrom(before), 10)
	}
	return ""
}
