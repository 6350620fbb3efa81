package turn

import (
	"slices"
	"strings"

	"parley/db"
	"parley/impl/core/fault"
	"parley/impl/core/tokens"
)

// errBlind says that the question shows pictures to a model that sees none.
var errBlind = fault.New(fault.Invalid, "The model cannot see pictures. Name one that can, or send the message without them.")

// unseen is what a blind model reads in place of a picture.
const unseen = "[picture]"

// visible returns messages as a model can read them. To one that is known to
// see no pictures, a question that shows some is an Invalid fault; of earlier messages it
// reads that they were there. What nobody knows of a model its provider decides.
func visible(messages []tokens.Message, m db.Model) ([]tokens.Message, error) {
	if m.Vision == nil || *m.Vision || !slices.ContainsFunc(messages, shows) {
		return messages, nil
	}
	seen := slices.Clone(messages)
	question := true
	for i := len(seen) - 1; i >= 0; i-- {
		if shows(seen[i]) && question {
			return nil, errBlind
		}
		question = question && seen[i].Role != tokens.RoleUser
		if !shows(seen[i]) {
			continue
		}
		lines := append([]string{seen[i].Content}, slices.Repeat([]string{unseen}, seen[i].Pictures)...)
		seen[i] = tokens.Message{Role: seen[i].Role, Content: strings.TrimSpace(strings.Join(lines, "\n"))}
	}
	return seen, nil
}

func shows(m tokens.Message) bool { return m.Pictures > 0 }
