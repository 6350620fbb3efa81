package provider

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

const (
	quotesMax          = 3
	quoteWordsMax      = 40 // one quote
	quotesWordsMax     = 70 // all quotes of an answer together
	restatedRunesMax   = 160
	personaRunesMax    = 60
	historyMessagesMax = 200
)

// compose writes the built-in model's whole answer.
func compose(req Request, c conversation) string {
	var parts []string
	if c.answers == 0 {
		parts = append(parts, c.introduction())
	}
	if len(c.results) > 0 {
		for _, result := range c.results {
			parts = append(parts, "The tool gave: "+quoted(result))
		}
	} else if len(req.Knowledge) > 0 {
		parts = append(parts, fromKnowledge(c.question, req.Knowledge))
	} else {
		if c.answers > 0 {
			parts = append(parts, c.reminder())
		}
		parts = append(parts, c.fromHistory())
	}
	return strings.Join(parts, " ")
}

// conversation is what the built-in model makes of the messages.
type conversation struct {
	persona  string   // from the system prompt; empty when it names none
	question string   // the user's last message
	earlier  []string // the user's messages before it, oldest first
	answers  int      // of the assistant so far
	results  []string // of tools, after everything else
}

func readConversation(messages []Message) conversation {
	var c conversation
	var said []string
	for _, m := range messages {
		if m.Role != RoleTool {
			c.results = nil
		}
		switch m.Role {
		case RoleTool:
			c.results = append(c.results, m.Content)
		case RoleSystem:
			if c.persona == "" {
				c.persona = persona(m.Content)
			}
		case RoleAssistant:
			c.answers++
		default:
			said = append(said, m.Content)
		}
	}
	if n := len(said); n > 0 {
		c.question, c.earlier = said[n-1], said[max(0, n-1-historyMessagesMax):n-1]
	}
	return c
}

var personaForms = []*regexp.Regexp{
	regexp.MustCompile(`(?i)\b(?:your name is|you are called|act as|you play(?: the role of)?)[ \t]+([^\n.,;:!?()"“”]{1,200})`),
	regexp.MustCompile(`(?i)\byou are[ \t]+([^\n.,;:!?()"“”]{1,200})`),
	regexp.MustCompile(`(?im)^[ \t]*name[ \t]*:[ \t]*([^\n.,;:!?()"“”]{1,200})`),
	regexp.MustCompile(`(?im)^[ \t]*personality[ \t]*:[ \t]*([^\n.;:!?()"“”]{1,200})`),
}

// persona returns whom a system prompt wants played. No other part of a system
// prompt is ever repeated, as it is not meant for the user.
func persona(prompt string) string {
	for _, form := range personaForms {
		if m := form.FindStringSubmatch(cutRunes(prompt, passageRunesMax)); m != nil {
			name := strings.Join(strings.Fields(m[1]), " ")
			if name != "" && !strings.HasPrefix(strings.ToLower(name), "not ") {
				return ellipsis(name, personaRunesMax)
			}
		}
	}
	return ""
}

func (c conversation) introduction() string {
	if c.persona != "" {
		return "I am Parley's built-in offline assistant, not a language model; here I stand in for " + c.persona + "."
	}
	return "I am Parley's built-in offline assistant, not a language model."
}

func (c conversation) reminder() string {
	if c.persona != "" {
		return "Still the built-in offline assistant, no language model, standing in for " + c.persona + "."
	}
	return "Still the built-in offline assistant, no language model."
}

// fromKnowledge quotes the sentences that match the question best, each with its
// passage's number.
func fromKnowledge(question string, knowledge []Passage) string {
	texts := make([]string, len(knowledge))
	for i, p := range knowledge {
		// Marks inside a passage would read as citations of ours.
		texts[i] = citationMark.ReplaceAllString(cutRunes(p.Text, passageRunesMax), "")
	}
	hits := rank(question, sentencesOf(texts))
	if len(hits) == 0 {
		return "The knowledge that I was given says nothing that matches your question."
	}
	var quotes []string
	words := 0
	for _, s := range hits {
		words += len(strings.Fields(s.text))
		if len(quotes) > 0 && (len(quotes) == quotesMax || words > quotesWordsMax || s.score < hits[0].score*relevantShare) {
			break
		}
		quotes = append(quotes, fmt.Sprintf("“%s” [%d]", s.text, s.source+1))
	}
	return "From the knowledge that I have: " + strings.Join(quotes, " ")
}

var recall = regexp.MustCompile(`(?i)\b(?:what|which|repeat|recall|remember|quote)\b.*\b(?:i (?:just |have |had )?(?:say|said|ask|asked|tell|told|write|wrote|mention|mentioned)|my (?:last|previous|earlier|first)|(?:did|have) i (?:just )?(?:say|said|ask|asked|tell|told|write|written|mention|mentioned)|before)\b`)

// fromHistory answers without knowledge: it shows what it saw of the
// conversation, and finds what the user said about the same thing.
func (c conversation) fromHistory() string {
	turn := len(c.earlier) + 1
	if strings.TrimSpace(c.question) == "" {
		return fmt.Sprintf("Your message %d holds no text.", turn)
	}
	wrote := fmt.Sprintf("You wrote: %s This is your message %d of our conversation.", quoted(c.question), turn)
	if turn == 1 {
		return wrote + " Give me documents, or connect a language model, and I can say more."
	}
	previous := c.earlier[len(c.earlier)-1]
	if recall.MatchString(cutRunes(c.question, passageRunesMax)) {
		if strings.Contains(strings.ToLower(c.question), "first") {
			previous = c.earlier[0]
			return fmt.Sprintf("The first thing you said was: %s This is your message %d of our conversation.", quoted(previous), turn)
		}
		return fmt.Sprintf("Before this you said: %s This is your message %d of our conversation.", quoted(previous), turn)
	}
	if hits := rank(c.question, sentencesOf(c.earlier)); len(hits) > 0 {
		return fmt.Sprintf("%s Earlier you said: %s", wrote, quoted(hits[0].text))
	}
	return wrote + " Your message before it began: " + quoted(ellipsis(previous, personaRunesMax))
}

// quoted returns s shortened and in quotation marks, with a full stop after it
// unless it ends in a mark of its own.
func quoted(s string) string {
	s = ellipsis(strings.Join(strings.Fields(cutRunes(s, passageRunesMax)), " "), restatedRunesMax)
	if last, _ := utf8.DecodeLastRuneInString(s); strings.ContainsRune(".!?…。！？", last) {
		return "“" + s + "”"
	}
	return "“" + s + "”."
}
