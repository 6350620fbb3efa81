// Package card reads character cards, the format in which people pass
// characters around: JSON, or a PNG that carries it in a text chunk. A card is what a
// stranger wrote: everything in it is bounded, and nothing but text is taken from it.
package card

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"parley/impl/core/fault"
)

const (
	nameMax        = 200
	textMax        = 20_000
	descriptionMax = 4_000 // of an agent
	greetingsMax   = 100   // beside the usual one
	leftOutMax     = 100
	memberMax      = 100
)

// Card is what is taken of a character card, as an agent has it. Lengths are those of agents.
type Card struct {
	Name        string
	Description string
	Personality string
	Greetings   []string // what the character may say first, the usual one first
	LeftOut     []string // members that say something and were not taken
	Picture     []byte   // the PNG that carried the card, not cleaned; nil without one
}

var (
	errNoCard  = fault.New(fault.Invalid, "The file holds no character card that can be read: JSON of the format V2, or a PNG with such a card in its text chunk chara.")
	errNoName  = fault.New(fault.Invalid, "The card has no name, or one of more than %d characters.", nameMax)
	errTooLong = fault.New(fault.Invalid, "The card is too long for an agent: of its personality, scenario, examples and instructions together %d characters are taken, of each greeting as many.", textMax)
)

// Read reads a card, JSON or PNG. What is none, or is too long, is an Invalid fault.
func Read(raw []byte) (Card, error) {
	var picture []byte
	if isPNG(raw) {
		text, ok := carried(raw)
		if !ok {
			return Card{}, errNoCard
		}
		raw, picture = text, raw
	}
	members, err := membersOf(raw)
	if err != nil {
		return Card{}, err
	}
	c, err := taken(members)
	c.Picture = picture
	return c, err
}

type members map[string]json.RawMessage

// membersOf are the members of a card of V2 or V3, which has them in data, or of V1, which has nothing around them.
func membersOf(raw []byte) (members, error) {
	var whole struct {
		Spec string  `json:"spec"`
		Data members `json:"data"`
	}
	if !utf8.Valid(raw) || json.Unmarshal(raw, &whole) != nil {
		return nil, errNoCard
	}
	if whole.Spec != "" {
		if whole.Data == nil || !strings.HasPrefix(whole.Spec, "chara_card_v") {
			return nil, errNoCard
		}
		return whole.Data, nil
	}
	var flat members
	if err := json.Unmarshal(raw, &flat); err != nil {
		return nil, errNoCard.Because(err)
	}
	return flat, nil
}

// kept are the members that are taken.
var kept = []string{
	"name", "description", "personality", "scenario", "first_mes", "mes_example", "system_prompt", "post_history_instructions", "alternate_greetings",
}

func taken(m members) (Card, error) {
	name := strings.TrimSpace(m.text("name"))
	if name == "" || utf8.RuneCountInString(name) > nameMax {
		return Card{}, errNoName
	}
	said := func(member string) string { return strings.TrimSpace(spoken(m.text(member), name)) }
	c := Card{Name: name, Description: said("description"), LeftOut: m.leftOut()}
	parts := []string{said("system_prompt")}
	if utf8.RuneCountInString(c.Description) > descriptionMax {
		parts, c.Description = append(parts, c.Description), ""
	}
	parts = append(parts, said("personality"), headed("Scenario: ", said("scenario")),
		headed("Examples of how "+name+" talks:\n", said("mes_example")), said("post_history_instructions"))
	c.Personality = strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), "\n")
	c.Greetings = m.greetings(name)
	if tooLong(c.Personality) || slices.ContainsFunc(c.Greetings, tooLong) || len(c.Greetings) > greetingsMax+1 {
		return Card{}, errTooLong
	}
	return c, nil
}

func tooLong(text string) bool { return utf8.RuneCountInString(text) > textMax }

func headed(head, text string) string {
	if text == "" {
		return ""
	}
	return head + text
}

// text is a member that is a text, without what does not belong into one; "" when it is none.
func (m members) text(name string) string {
	var text string
	_ = json.Unmarshal(m[name], &text) // of another type: it says nothing
	return plain(text)
}

// plain drops what no text needs: control characters other than the ends of lines and tabs.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, text)
}

func (m members) greetings(name string) []string {
	var more []string
	_ = json.Unmarshal(m["alternate_greetings"], &more) // of another type: there are none
	greetings := []string{}
	for _, text := range append([]string{m.text("first_mes")}, more...) {
		if text = strings.TrimSpace(spoken(plain(text), name)); text != "" {
			greetings = append(greetings, text)
		}
	}
	return greetings
}

var (
	ofTheCharacter = regexp.MustCompile(`(?i)\{\{char\}\}|<bot>`)
	ofTheUser      = regexp.MustCompile(`(?i)\{\{user\}\}|<user>`)
	ofTheProgram   = regexp.MustCompile(`(?i)\{\{original\}\}`)
)

// spoken replaces what cards leave open: who speaks with whom.
func spoken(text, name string) string {
	text = ofTheProgram.ReplaceAllLiteralString(text, "")
	text = ofTheUser.ReplaceAllLiteralString(text, "the user")
	return ofTheCharacter.ReplaceAllLiteralString(text, name)
}

var printable = regexp.MustCompile(`^[ -~]+$`)

// leftOut names, in order, the members that say something and are not kept.
func (m members) leftOut() []string {
	names := []string{}
	for name, raw := range m {
		switch string(raw) {
		case "null", `""`, "[]", "{}":
			continue
		}
		if !slices.Contains(kept, name) && len(name) <= memberMax && printable.MatchString(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names[:min(len(names), leftOutMax)]
}
