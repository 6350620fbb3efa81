package knowledge_test

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"parley/impl/core/chunk"
	"parley/impl/core/knowledge"
	"parley/impl/core/provider"
)

var evaluate = flag.Bool("evaluate", false, "print the questions that were not answered")

// document is one of the evaluation's, with the questions that it answers.
type document struct {
	title, text string
	questions   []string
}

// readEvaluation reads documents that we wrote ("= title", paragraphs, "? question").
// One without a title holds questions that nothing answers.
func readEvaluation(t *testing.T) []document {
	t.Helper()
	f, err := os.Open("testdata/evaluation.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []document
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Text()
		switch {
		case strings.HasPrefix(line, "="):
			all = append(all, document{title: strings.TrimSpace(line[1:])})
		case strings.HasPrefix(line, "? "):
			d := &all[len(all)-1]
			d.questions = append(d.questions, line[2:])
		case line != "":
			all[len(all)-1].text += line + "\n\n"
		}
	}
	return all
}

// catalogue makes the pages of a shop that differ in little: the same things
// are said of every product, each time with other figures.
func catalogue() []document {
	products := strings.Fields("Aurora Basalt Cirrus Dorado Ember Fjord Garnet Harrier Indigo Juniper Kestrel Lumen")
	kinds := []string{"desk lamp", "kettle", "backpack", "tent", "heater", "raincoat", "headphones", "drone", "printer", "blender", "watch", "speaker"}
	var all []document
	for i, name := range products {
		kind := kinds[i]
		all = append(all,
			document{name + " warranty", fmt.Sprintf("The %s %s has a warranty of %d months. It covers defects of material, not wear.\n\nSend the receipt with your claim.", name, kind, 12+i*3), []string{
				fmt.Sprintf("How long is the warranty of the %s?", name),
				fmt.Sprintf("Does the guarantee or warranty for my %s %s cover wear?", name, kind)}},
			document{name + " cleaning and care", fmt.Sprintf("Clean the %s with a damp cloth and never with solvents.\n\nOnce a year the seals of the %s should be greased.", name, kind), []string{
				fmt.Sprintf("How do I clean my %s?", kind),
				fmt.Sprintf("Are solvents harmful for the %s?", name)}},
			document{name + " spare parts", fmt.Sprintf("Spare parts for the %s are kept in stock for %d years. Order them by the number on the label.", kind, 5+i), []string{
				fmt.Sprintf("For how many years can I order spare parts for the %s?", name),
				fmt.Sprintf("replacement parts %s", kind)}},
			document{name + " technical data", fmt.Sprintf("Weight of the %s: %d grams. It runs on %d volts and takes %d watts.", name, 300+i*70, 5+i, 20+i*9), []string{
				fmt.Sprintf("What does the %s weigh?", name),
				fmt.Sprintf("How many volts does the %s %s need?", name, kind)}},
		)
	}
	return all
}

// figures are what an evaluation measures.
type figures struct {
	documents, questions, found, first int
	reciprocal                         float64
	cited, citedRight, silent, unasked int
}

// The default search, without a model, over a set of our own: pages in several languages, questions in
// the pages' words, in other forms of them and with words that no page has, and pages that differ in little.
func TestEvaluation(t *testing.T) {
	t.Parallel()
	b := own(t)
	b.Split = chunk.Split
	all := append(readEvaluation(t), catalogue()...)
	f := figures{}
	for i, d := range all {
		if d.title != "" {
			f.documents++
			b.site.put(fmt.Sprint("https://site.test/", i), d.title+"\n"+d.text)
		}
	}
	b.addSite(t, knowledge.DefaultSettings)
	if p := b.idle(t); int(p.Indexed) != f.documents {
		t.Fatalf("progress %+v", p)
	}
	if err := b.db.CountTerms(t.Context(), b.account, b.collection, b.clock.now()); err != nil {
		t.Fatal(err)
	}
	for _, d := range all {
		for _, question := range d.questions {
			b.evaluate(t, &f, d, question)
		}
	}
	n := float64(f.questions)
	recall, mrr := float64(f.found)/n, f.reciprocal/n
	precision := float64(f.citedRight) / float64(f.cited)
	t.Logf("%d documents, %d questions: recall@5 %.3f, first %.3f, MRR %.3f; citation precision %.3f; %d of %d questions without an answer declined",
		f.documents, f.questions, recall, float64(f.first)/n, mrr, precision, f.silent, f.unasked)
	if f.documents < 100 || f.questions < 200 || recall < 0.9 || mrr < 0.8 || precision < 0.7 {
		t.Error("the search has become worse")
	}
}

// evaluate asks one question and counts.
func (b *bundle) evaluate(t *testing.T, f *figures, d document, question string) {
	t.Helper()
	found, err := b.Search(t.Context(), b.scope(), knowledge.Query{Question: question, Limit: 8})
	if err != nil {
		t.Fatal(err)
	}
	if d.title == "" {
		f.unasked++
		if len(found) == 0 {
			f.silent++
		} else if *evaluate {
			t.Logf("%q supported by %v", question, titles(found))
		}
		return
	}
	f.questions++
	place := slices.Index(titles(found), d.title)
	if place >= 0 && place < 5 {
		f.found++
	} else if *evaluate {
		t.Logf("%q found %v, not %s", question, titles(found), d.title)
	}
	if place >= 0 {
		f.reciprocal += 1 / float64(place+1)
	}
	if place == 0 {
		f.first++
	}
	b.cite(t, f, d, question, found[:min(len(found), 5)])
}

// cite has the built-in model answer and counts which of the pages that it cites hold the answer.
func (b *bundle) cite(t *testing.T, f *figures, d document, question string, found []knowledge.Passage) {
	t.Helper()
	answer, err := provider.BuiltIn{}.Chat(t.Context(), provider.Request{
		Messages: []provider.Message{{Role: provider.RoleUser, Content: question}}, Knowledge: knowledge.Offered(found),
	}, func(provider.Delta) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range answer.Cited {
		f.cited++
		if found[i].Title == d.title {
			f.citedRight++
		}
	}
}
