package knowledge

import (
	"strings"
	"unicode"

	"parley/impl/core/tokens"
)

const (
	// questionRunes is how much of a question is read: what a person asks stands in front.
	questionRunes = 1000
	// contextRunes is how much of each earlier question is read.
	contextRunes = 300
	// shortWords is how few words make a question lean on the one before.
	shortWords = 3
)

// referring are words by which a question leans on what was said before, in the
// languages that Postgres stems. Each is a word of its own: no phrase analysis is tried.
var referring = wordSet(`
	it its they them their theirs that this those these he she him her his hers one ones there then same else instead also and but
	es sie ihn ihm ihr ihre dessen deren dies diese dieser dieses das dort dann auch und aber davon dazu damit darauf
	il elle ils elles le la les lui leur cela ca ce cette ces celui celle y en et mais aussi
	ello esto eso esta este estos estas aquello lo los las y e pero tambien alli
	isso isto este esta ele ela elas e mas tambem
	esso essa questo questa quello quella e ma anche
	het ze hij zij dat dit die deze en maar ook daar
	он она оно они его ее их это этот эта эти тот та те и а но там`)

func wordSet(words string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(words) {
		set[w] = true
	}
	return set
}

// rewrite returns the texts to search for: the question, and what it leans on,
// which is "" when it stands for itself. It costs no model: a short question or one that
// refers to something is read together with the user's questions before it.
func rewrite(question string, history []tokens.Message) (asked, context string) {
	asked = cut(question, questionRunes)
	if !leans(asked) {
		return asked, ""
	}
	var before []string
	for i := len(history) - 1; i >= 0; i-- {
		if history[i].Role != tokens.RoleUser || strings.TrimSpace(history[i].Content) == "" {
			continue
		}
		before = append(before, cut(history[i].Content, contextRunes))
		if len(before) == 2 || !leans(before[0]) {
			break
		}
	}
	return asked, strings.Join(before, "\n")
}

func leans(question string) bool {
	words := strings.FieldsFunc(strings.ToLower(Searchable(question)), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) })
	if len(words) <= shortWords {
		return true
	}
	for _, w := range words {
		if referring[w] {
			return true
		}
	}
	return false
}

// cut returns the first n runes of text.
func cut(text string, n int) string {
	for i := range text {
		if n == 0 {
			return text[:i]
		}
		n--
	}
	return text
}
