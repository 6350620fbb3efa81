package chunk_test

import (
	"fmt"
	"strings"
	"testing"

	"parley/impl/core/chunk"
	"parley/impl/core/extract"
	"parley/impl/core/tokens"
)

func heading(level int, text string) extract.Block {
	return extract.Block{Kind: extract.Heading, Level: level, Text: text}
}

func paragraph(text string) extract.Block {
	return extract.Block{Kind: extract.Paragraph, Text: text}
}

// prose is n sentences that differ.
func prose(about string, n int) string {
	var out strings.Builder
	for i := range n {
		fmt.Fprintf(&out, "Sentence number %d about %s says something that only it says. ", i, about)
	}
	return strings.TrimSpace(out.String())
}

func TestChunksFollowTheHeadings(t *testing.T) {
	t.Parallel()
	d := extract.Document{Title: "Manual", Blocks: []extract.Block{
		heading(1, "Manual"), paragraph(prose("the start", 15)), heading(2, "Install"), paragraph(prose("installing", 15)),
		heading(3, "On Linux"), paragraph(prose("linux", 15)), heading(2, "Use"), paragraph(prose("using", 15)),
	}}
	got := chunk.Split(d, chunk.Limits{})
	want := []string{"Manual", "Manual › Install", "Manual › Install › On Linux", "Manual › Use"}
	if len(got) != len(want) {
		t.Fatalf("%d chunks: %+v", len(got), got)
	}
	for i, c := range got {
		if c.Heading != want[i] || c.Language != "english" || c.Tokens != tokens.Count("", c.Text) || c.Tokens > 400 {
			t.Errorf("chunk %d: %q, %s, %d tokens", i, c.Heading, c.Language, c.Tokens)
		}
	}
}

func TestShortSectionsAreJoinedUnderTheirCommonHeading(t *testing.T) {
	t.Parallel()
	d := extract.Document{Title: "Help", Blocks: []extract.Block{
		heading(2, "FAQ"), heading(3, "Can I cancel?"), paragraph("Yes, at any time."), heading(3, "Do you ship?"), paragraph("To all countries."),
		heading(2, "Contact"), paragraph("Write to us."),
	}}
	got := chunk.Split(d, chunk.Limits{})
	if len(got) != 2 || got[0].Heading != "Help › FAQ" || got[0].Text != "Can I cancel?\nYes, at any time.\nDo you ship?\nTo all countries." || got[1].Heading != "Help › Contact" {
		t.Errorf("chunks %+v", got)
	}
}

func TestHeadingsWithoutTextAreText(t *testing.T) {
	t.Parallel()
	d := extract.Document{Title: "Links", Blocks: []extract.Block{heading(2, "First offer"), heading(2, "Second offer")}}
	got := chunk.Split(d, chunk.Limits{})
	if len(got) != 1 || got[0].Heading != "Links" || got[0].Text != "First offer\nSecond offer" {
		t.Errorf("chunks %+v", got)
	}
	if got := chunk.Split(extract.Document{Title: "Empty"}, chunk.Limits{}); len(got) != 0 {
		t.Errorf("of nothing %+v", got)
	}
}

func TestLongTextIsCutBetweenSentencesAndRepeatsItsEnd(t *testing.T) {
	t.Parallel()
	d := extract.Document{Blocks: []extract.Block{paragraph(prose("length", 200))}}
	got := chunk.Split(d, chunk.Limits{TokensMax: 100, Overlap: 20})
	all := ""
	for i, c := range got {
		if c.Tokens > 100 || !strings.HasPrefix(c.Text, "Sentence number") || !strings.HasSuffix(c.Text, "says.") {
			t.Errorf("chunk %d of %d tokens: %q", i, c.Tokens, c.Text)
		}
		if i > 0 {
			first, _, _ := strings.Cut(c.Text, "\n")
			if !strings.HasSuffix(got[i-1].Text, strings.TrimSpace(first)) {
				t.Errorf("chunk %d does not begin with the end of the one before: %q", i, first)
			}
		}
		all += c.Text
	}
	for i := range 200 {
		if !strings.Contains(all, fmt.Sprintf("number %d about", i)) {
			t.Errorf("sentence %d is lost", i)
		}
	}
}

func TestTablesAreCutBetweenRowsUnderTheirHeader(t *testing.T) {
	t.Parallel()
	var rows strings.Builder
	rows.WriteString("City | Inhabitants")
	for i := range 300 {
		fmt.Fprintf(&rows, "\nTown %d | %d", i, i*1000)
	}
	got := chunk.Split(extract.Document{Title: "Towns", Blocks: []extract.Block{{Kind: extract.Table, Text: rows.String()}}}, chunk.Limits{})
	seen := 0
	for i, c := range got {
		if c.Tokens > 400 || !strings.HasPrefix(c.Text, "City | Inhabitants\nTown") || c.Heading != "Towns" {
			t.Errorf("chunk %d of %d tokens begins %.60q", i, c.Tokens, c.Text)
		}
		seen += strings.Count(c.Text, "Town ")
	}
	if seen != 300 || len(got) < 3 {
		t.Errorf("%d rows in %d chunks", seen, len(got))
	}
}

func TestTextWithoutBlanksIsCutToo(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"one word": strings.Repeat("x7Q", 20_000), "chinese": strings.Repeat("今天天气很好，我们去公园散步。", 500), "dots": strings.Repeat(". ", 5000)} {
		got := chunk.Split(extract.Document{Blocks: []extract.Block{paragraph(text)}}, chunk.Limits{})
		for i, c := range got {
			if n := tokens.Count("", c.Text); n > 400 || c.Text == "" {
				t.Errorf("%s: chunk %d of %d tokens", name, i, n)
			}
		}
		if len(got) < 2 {
			t.Errorf("%s: %d chunks", name, len(got))
		}
	}
}

func TestLanguages(t *testing.T) {
	t.Parallel()
	german := "Die Rechnung kommt am Anfang jedes Monats und wird innerhalb von zwei Wochen bezahlt, sonst folgt eine Erinnerung mit Gebühren."
	french := "La facture arrive au début de chaque mois et doit être payée dans les deux semaines, sinon un rappel avec des frais sera envoyé."
	japanese := "請求書は毎月初めに届き、二週間以内にお支払いください。お支払いがない場合は、手数料を含む督促状が送付されます。"
	for _, c := range []struct{ declared, text, want string }{
		{"", german, "german"}, {"en", german, "german"}, {"fr-CA", french, "french"}, {"", japanese, "simple"}, {"de", "Abc 12", "german"}, {"tlh", "Qapla", "simple"}, {"", "4711", "simple"},
	} {
		got := chunk.Split(extract.Document{Language: c.declared, Blocks: []extract.Block{paragraph(c.text)}}, chunk.Limits{})
		if len(got) != 1 || got[0].Language != c.want {
			t.Errorf("%s %.20q: %+v; want %s", c.declared, c.text, got, c.want)
		}
	}
	mixed := extract.Document{Language: "en", Blocks: []extract.Block{heading(1, "English"), paragraph(prose("a thing", 20)), heading(1, "Deutsch"), paragraph(strings.Repeat(german+" ", 6))}}
	if got := chunk.Split(mixed, chunk.Limits{}); len(got) != 2 || got[0].Language != "english" || got[1].Language != "german" {
		t.Errorf("mixed: %+v", got)
	}
}

func FuzzSplitLosesNothingAndKeepsTheCeiling(f *testing.F) {
	f.Add("A heading", "Some text. And more of it.", "a | b\n1 | 2", "")
	f.Add("", "…。？", strings.Repeat("x ", 3000), "de")
	f.Fuzz(func(t *testing.T, title, text, table, language string) {
		d := extract.Document{Title: title, Language: language, Blocks: []extract.Block{heading(2, title), paragraph(text), {Kind: extract.Table, Text: table}, {Kind: extract.Item, Level: 2, Text: text}}}
		for _, c := range chunk.Split(d, chunk.Limits{TokensMax: 64, Overlap: 8}) {
			if c.Tokens > 64 || c.Tokens != tokens.Count("", c.Text) || c.Language == "" {
				t.Errorf("chunk of %d tokens in %q: %q", c.Tokens, c.Language, c.Text)
			}
		}
	})
}
