package knowledge_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"parley/db"
	"parley/db/dbtest"
	"parley/impl/core/fault"
	"parley/impl/core/key"
	"parley/impl/core/knowledge"
	"parley/impl/core/tokens"
)

// stored is a bundle that holds pages, by their titles.
func stored(t *testing.T, pages ...string) *bundle {
	t.Helper()
	b := own(t)
	for _, text := range pages {
		title, _, _ := strings.Cut(text, "\n")
		b.site.put("https://site.test/"+strings.ReplaceAll(title, " ", "-"), text)
	}
	b.addSite(t, knowledge.DefaultSettings)
	if p := b.idle(t); int(p.Indexed) != len(pages) || !p.Ready {
		t.Fatalf("progress %+v", p)
	}
	return b
}

func titles(found []knowledge.Passage) []string {
	var out []string
	for _, p := range found {
		if !slices.Contains(out, p.Title) {
			out = append(out, p.Title)
		}
	}
	return out
}

var shop = []string{
	"Refunds\nWe refund the price within 14 days. Send the goods back in their box.\n\nA refund takes 5 working days to arrive.",
	"Delivery\nParcels arrive in two days. Express parcels arrive on the next morning.",
	"Garantie\nlang: german\nDie Rückgabefrist beträgt dreißig Tage. Für Geräte gilt eine Garantie von zwei Jahren.",
	"Livraison\nlang: french\nLes colis sont livrés en deux jours ouvrés. La livraison en Suisse est payante.",
	"退款政策\nlang: simple\n您可以在三十天内申请退款。退款将在五个工作日内到账。",
	"Доставка\nlang: russian\nПосылки приходят за три дня. Доставка в выходные бесплатная.",
}

func TestSearchFindsWhatAnswers(t *testing.T) {
	t.Parallel()
	b := stored(t, shop...)
	for question, want := range map[string]string{
		"How long does a refund take?":             "Refunds",
		"refunding the goods":                      "Refunds",
		"When will my express parcel arrive?":      "Delivery",
		"Wie lang ist die Rückgabe möglich?":       "Garantie", // a part of a compound
		"garantie fur gerate":                      "Garantie", // no accents on this keyboard
		"Combien coûte la livraison en Suisse ?":   "Livraison",
		"退款要多久?":                                   "退款政策",
		"Когда бывает бесплатная доставка?":        "Доставка",
		"TCP/IP: parcels/boxes? 'quoted' \\ | & !": "Delivery", // no notation of queries gets through
	} {
		if found := b.search(t, question); len(found) == 0 || found[0].Title != want {
			t.Errorf("%q found %v, want %s", question, titles(found), want)
		}
	}
	p := b.search(t, "How long does a refund take?")[0]
	if p.URL != "https://site.test/Refunds" || p.Text != "A refund takes 5 working days to arrive." || p.PageID == "" || p.Number == 0 {
		t.Errorf("passage %+v", p)
	}
}

func TestNothingSupportsAnAnswer(t *testing.T) {
	t.Parallel()
	b := stored(t, shop...)
	for _, question := range []string{"Who won the football world cup?", "", "   ", "the of and", "?!", "' | ! & ()"} {
		if found := b.search(t, question); len(found) > 0 {
			t.Errorf("%q found %+v", question, found)
		}
	}
}

// A question that leans on the conversation is read with it; one that stands for itself is not.
func TestSearchReadsTheConversation(t *testing.T) {
	t.Parallel()
	b := stored(t, shop...)
	history := []tokens.Message{
		{Role: tokens.RoleUser, Content: "Tell me about express parcels"},
		{Role: tokens.RoleAssistant, Content: "They arrive on the next morning."},
	}
	ask := func(question string) []string {
		found, err := b.Search(t.Context(), b.scope(), knowledge.Query{Question: question, History: history})
		if err != nil {
			t.Fatal(err)
		}
		return titles(found)
	}
	if got := ask("And when do they come?"); len(got) == 0 || got[0] != "Delivery" {
		t.Errorf("leaning question found %v", got)
	}
	if got := ask("How many working days does a refund need until the bank has it?"); len(got) == 0 || got[0] != "Refunds" {
		t.Errorf("question of its own found %v", got)
	}
}

func TestSearchStaysInItsScope(t *testing.T) {
	t.Parallel()
	b := stored(t, shop...)
	other, err := b.Create(t.Context(), b.account, "Other")
	if err != nil {
		t.Fatal(err)
	}
	stranger := dbtest.Account(t, b.db, "free", 0)
	for name, scope := range map[string]knowledge.Scope{
		"another collection": {AccountID: b.account, Collections: []string{other.ID}},
		"another account":    {AccountID: stranger, Collections: []string{b.collection}},
		"no collection":      {AccountID: b.account},
	} {
		if found, err := b.Search(t.Context(), scope, knowledge.Query{Question: "refund"}); err != nil || len(found) > 0 {
			t.Errorf("%s: found %+v, %v", name, found, err)
		}
	}
	both := knowledge.Scope{AccountID: b.account, Collections: []string{other.ID, b.collection}}
	if found, err := b.Search(t.Context(), both, knowledge.Query{Question: "refund", Limit: 1}); err != nil || len(found) != 1 {
		t.Errorf("both: found %+v, %v", found, err)
	}
}

func TestMetadataIsShownInstead(t *testing.T) {
	t.Parallel()
	b := stored(t, shop...)
	before := b.search(t, "refund")[0]
	title, url := "Money back", "https://shop.test/money"
	if _, err := b.SetMetadata(t.Context(), b.account, before.PageID, knowledge.Metadata{Title: &title}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.SetMetadata(t.Context(), b.account, before.PageID, knowledge.Metadata{URL: &url}); err != nil {
		t.Fatal(err)
	}
	if after := b.search(t, "refund")[0]; after.Title != title || after.URL != url || after.PageID != before.PageID {
		t.Errorf("shown as %+v", after)
	}
}

// meaning is an embedder with one axis a topic, whatever the words.
type meaning struct {
	model string // "": the account has none
	err   error
}

func (m *meaning) Model(context.Context, string) (string, error) { return m.model, nil }

func (m *meaning) Embed(_ context.Context, _ key.Caller, _ string, texts []string) ([][]float32, error) {
	out := make([][]float32, len(texts))
	for i, text := range texts {
		out[i] = make([]float32, 3)
		for axis, topic := range [][]string{{"refund", "money back"}, {"parcel", "delivery", "shipment"}, {"battery"}} {
			for _, word := range topic {
				out[i][axis] += float32(strings.Count(strings.ToLower(text), word))
			}
		}
	}
	return out, m.err
}

func TestVectorsAreFusedWithTextAndNeverNeeded(t *testing.T) {
	t.Parallel()
	b := own(t)
	m := &meaning{model: "meaning"}
	b.Embedder = m
	// By the words alone the first page is the better one.
	b.site.put("https://site.test/a", "Late again\nA late express is a reason to complain; late late late.\n\nbattery battery")
	b.site.put("https://site.test/b", "Post\nLate parcel: a delivery that is late by a week is sent again.")
	b.addSite(t, knowledge.DefaultSettings)
	b.idle(t)
	if n := b.count(t, "select count(*) from chunks where collection_id = $1 and array_length(embedding, 1) = 3", b.collection); n != 3 {
		t.Fatalf("%d chunks have vectors", n)
	}
	const question = "my shipment is late"
	if found := b.search(t, question); found[0].Title != "Post" {
		t.Errorf("with vectors found %v", titles(found))
	}
	m.err = errors.New("the model is away")
	byWords := func(when string) {
		t.Helper()
		if found := b.search(t, question); len(found) == 0 || found[0].Title != "Late again" {
			t.Errorf("%s found %v", when, titles(found))
		}
	}
	byWords("without the model")
	m.err, m.model = nil, "another"
	byWords("with vectors of another model")
	m.model = ""
	byWords("when the account has no model any more")
}

func TestWhatTheBalanceDoesNotCoverIsSearchedByWords(t *testing.T) {
	t.Parallel()
	b := own(t)
	m := &meaning{model: "meaning", err: fault.New(fault.NoFunds, "no funds")}
	b.Embedder = m
	b.site.put("https://site.test/a", "Post\nA parcel that is late is sent again.")
	source := b.addSite(t, knowledge.DefaultSettings)
	b.idle(t)
	if found := b.search(t, "when is a late parcel sent"); len(found) != 1 {
		t.Errorf("found %v", titles(found))
	}
	var reason string
	if err := b.raw.Get(&reason, "select reason from pages where collection_id = $1", b.collection); err != nil || !strings.Contains(reason, "balance") {
		t.Errorf("the page says %q, %v", reason, err)
	}
	m.err = nil
	if _, err := b.Configure(t.Context(), b.account, source.ID, knowledge.SourceSettings{Refresh: "never", RefreshExistingPages: knowledge.RefreshAlways}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Sync(t.Context(), b.account, source.ID); err != nil {
		t.Fatal(err)
	}
	b.idle(t)
	if n := b.count(t, "select count(*) from chunks where collection_id = $1 and embedding_model = 'meaning'", b.collection); n != 1 {
		t.Errorf("%d chunks have vectors once it is covered", n)
	}
}

func TestDeletedPagesAreNotFound(t *testing.T) {
	t.Parallel()
	b := stored(t, shop...)
	p := b.search(t, "refund")[0]
	if err := b.DeletePage(t.Context(), b.account, p.PageID); err != nil {
		t.Fatal(err)
	}
	if found := b.search(t, "refund"); len(found) > 0 {
		t.Errorf("found %+v", found)
	}
	if _, err := b.db.Page(t.Context(), b.account, p.PageID); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("page: %v", err)
	}
}
