package db

import (
	"context"
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	"github.com/jmoiron/sqlx/types"
	"github.com/lib/pq"
)

// Chunk is a passage of a page, as it is stored.
type Chunk struct {
	Heading   string
	Body      string
	Tokens    int
	Language  string    // a text search configuration
	Title     string    // what is searched with most weight; like the two below in the spelling for searches
	Above     string    // the headings
	Words     string    // the body
	Embedding []float32 // nil without an embedding model

	EmbeddingModel string // which made it; "" without one
}

// TermPrefix is how many letters of a term stand for the collection.
const TermPrefix = 4

// termPrefix begins the words of a collection's chunks. Two collections that
// share one by chance search a little slower and never find each other's chunks.
func termPrefix(collectionID string) string {
	const letters = "0123456789abcdefghijklmnopqrstuv"
	h := fnv.New32a()
	_, _ = h.Write([]byte(collectionID))
	sum := h.Sum32()
	return string([]byte{letters[sum&31], letters[sum>>5&31], letters[sum>>10&31], letters[sum>>15&31]}) // TermPrefix of them
}

// ReplaceChunks stores the chunks of a page instead of those before. Call it
// in the transaction of FinishPage.
func (q *Queries) ReplaceChunks(ctx context.Context, p Page, chunks []Chunk) error {
	if _, err := q.exec(ctx, `
		delete from chunks
		where account_id = $1 and page_id = $2`,
		p.AccountID, p.ID); err != nil || len(chunks) == 0 {
		return err
	}
	n := len(chunks)
	columns := make([][]string, 8)
	for i := range columns {
		columns[i] = make([]string, n)
	}
	counts := make([]int64, n)
	for i, c := range chunks {
		for j, text := range []string{c.Heading, c.Body, c.Language, c.Title, c.Above, c.Words} {
			columns[j][i] = text
		}
		columns[6][i], columns[7][i] = realArray(c.Embedding), c.EmbeddingModel
		counts[i] = int64(c.Tokens)
	}
	if _, err := q.exec(ctx, `
		insert into chunks (account_id, page_id, seq, collection_id, heading, body, language, tokens, terms, embedding, embedding_model)
		select $1, $2, seq, $3, heading, body, language, tokens,
			regexp_replace((setweight(to_tsvector(language::regconfig, title), 'A')
				|| setweight(to_tsvector(language::regconfig, above), 'B')
				|| to_tsvector(language::regconfig, words))::text, '(^| )''', '\1''' || $12, 'g')::tsvector,
			nullif(embedding, '')::real[], model
		from unnest($4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::integer[], $13::text[]) with ordinality
			as c (heading, body, language, title, above, words, embedding, tokens, model, seq)`,
		p.AccountID, p.ID, p.CollectionID, pq.Array(columns[0]), pq.Array(columns[1]), pq.Array(columns[2]), pq.Array(columns[3]),
		pq.Array(columns[4]), pq.Array(columns[5]), pq.Array(columns[6]), pq.Array(counts), termPrefix(p.CollectionID), pq.Array(columns[7])); err != nil {
		return err
	}
	return q.addLanguages(ctx, p, columns[2])
}

// addLanguages makes questions be read in the languages, too. It writes only when one is new.
func (q *Queries) addLanguages(ctx context.Context, p Page, languages []string) error {
	_, err := q.exec(ctx, `
		update collections
		set languages = array(select distinct unnest(languages || $3::text[]))
		where account_id = $1 and collection_id = $2 and not languages @> $3::text[]`,
		p.AccountID, p.CollectionID, pq.Array(languages))
	return err
}

func realArray(values []float32) string {
	if values == nil {
		return ""
	}
	b := []byte{'{'}
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendFloat(b, float64(v), 'g', -1, 32)
	}
	return string(append(b, '}'))
}

const (
	// countSample is about how many chunks are read to count a collection's words.
	countSample = 20_000
	// commonTermsMax is how many words of a collection are known to be common at most.
	commonTermsMax = 5000
)

// CountTerms counts the words of a collection and remembers the common ones:
// those in one of a thousand chunks and in two at least. Large collections are sampled by pages.
func (d *DB) CountTerms(ctx context.Context, accountID, collectionID string, now time.Time) error {
	return d.InTx(ctx, func(q *Queries) error {
		var total int64
		if err := q.get(ctx, &total, `
			select coalesce(sum(chunks), 0)
			from pages
			where account_id = $1 and collection_id = $2`,
			accountID, collectionID); err != nil {
			return err
		}
		if err := q.execOne(ctx, `
			update collections
			set counted_chunks = $3, counted_at = $4
			where account_id = $1 and collection_id = $2`,
			accountID, collectionID, total, now); err != nil {
			return err
		}
		if _, err := q.exec(ctx, `
			delete from collection_terms
			where account_id = $1 and collection_id = $2`,
			accountID, collectionID); err != nil {
			return err
		}
		share := max(1, total/countSample)
		_, err := q.exec(ctx, `
			insert into collection_terms (account_id, collection_id, term, chunks)
			select $1, $2, word, ndoc * $3
			from ts_stat(format('select c.terms from pages p join chunks c on c.account_id = p.account_id and c.page_id = p.page_id
				where p.account_id = %L and p.collection_id = %L and p.number %% 8191 %% %s = 0', $1::text, $2::text, $3::bigint))
			where ndoc * $3 >= $4
			order by ndoc desc, word
			limit $5`,
			accountID, collectionID, share, max(2, total/1000), commonTermsMax)
		return err
	})
}

// QuestionTerm is a word of a text as the chunks of a collection spell it.
type QuestionTerm struct {
	Text     int    `db:"text"`     // which of the texts, from 0
	Position int    `db:"position"` // the word's place in the text: variants of one word share it
	Term     string `db:"term"`
	Chunks   *int64 `db:"chunks"` // in how many chunks it stands; nil unless it is common
	Total    int64  `db:"total"`  // chunks of the collection when they were counted; 0: never

	Languages pq.StringArray `db:"languages"` // those of the collection that spell it so
}

// QuestionTerms reads texts in the languages of a collection. A collection that is not there has no terms.
func (q *Queries) QuestionTerms(ctx context.Context, accountID, collectionID string, texts []string) ([]QuestionTerm, error) {
	terms := []QuestionTerm{}
	err := q.list(ctx, &terms, `
		select t.nth - 1 as text, w.positions[1] as position, $4::text || w.lexeme as term, min(k.chunks) as chunks,
			min(c.counted_chunks) as total, array_agg(distinct l.language) as languages
		from collections c
		cross join unnest(c.languages) as l (language)
		cross join unnest($3::text[]) with ordinality as t (text, nth)
		cross join unnest(to_tsvector(l.language::regconfig, t.text)) as w
		left join collection_terms k on k.account_id = $1 and k.collection_id = $2 and k.term = $4::text || w.lexeme
		where c.account_id = $1 and c.collection_id = $2 and not c.deleting
		group by t.nth, w.positions[1], w.lexeme
		order by t.nth, w.positions[1], w.lexeme`,
		accountID, collectionID, pq.Array(texts), termPrefix(collectionID))
	return terms, err
}

// ChunkQuery asks for the chunks of a collection that match. Its texts are in
// Postgres's notation of text search queries: see Quoted.
type ChunkQuery struct {
	Match string   // which chunks
	Rank  string   // what makes the best of them
	Terms []string // what the best are measured by, one by one
	Cap   int      // of those that match, how many are looked at
	Top   int      // how many are returned
}

// MatchedChunk is a chunk with how strongly it holds each of the terms, 0 for not at all.
type MatchedChunk struct {
	PageID    string          `db:"page_id"`
	Seq       int             `db:"seq"`
	Ranks     pq.Float64Array `db:"ranks"`
	Embedding pq.Float32Array `db:"embedding"`
}

// Quoted is a term of QuestionTerms in the notation of text search queries; with
// prefix it matches all words that begin so.
func Quoted(term string, prefix bool) string {
	q := "'" + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(term) + "'"
	if prefix {
		q += ":*"
	}
	return q
}

// termWeights are the weights of words in the body (two classes), headings and title.
const termWeights = `'{0.35, 0.35, 0.6, 1}'`

// MatchChunks returns the best chunks that match, with those of their vectors that a model made; "" wants none.
//
// It is planned for its own values each time: a plan for any values reads the
// whole account where most accounts are small and this one is not.
func (q *Queries) MatchChunks(ctx context.Context, accountID, collectionID string, query ChunkQuery, model string) ([]MatchedChunk, error) {
	found := []MatchedChunk{}
	embedding, args := "null::real[]", []any{accountID, collectionID, query.Match, query.Rank, pq.Array(query.Terms), query.Cap, query.Top}
	if model != "" {
		embedding, args = "case when c.embedding_model = $8 then c.embedding end", append(args, model)
	}
	return found, q.listOnce(ctx, &found, `
		with matched as materialized (
			select page_id, seq, ts_rank(`+termWeights+`, terms, $4::tsquery) as rank
			from chunks
			where account_id = $1 and collection_id = $2 and terms @@ $3::tsquery
			limit $6
		), best as materialized (
			select page_id, seq
			from matched
			order by rank desc, page_id, seq
			limit $7
		), opened as materialized ( -- unpacked once, not for each term
			select c.page_id, c.seq, c.terms || '' as terms, `+embedding+` as embedding
			from best b
			join chunks c on c.account_id = $1 and c.page_id = b.page_id and c.seq = b.seq
		)
		select page_id, seq, array(
			select ts_rank(`+termWeights+`, o.terms, t.term)
			from unnest($5::tsquery[]) with ordinality as t (term, n)
			order by n) as ranks, embedding
		from opened o`,
		args...)
}

// listOnce is list for a statement that is planned anew each time.
func (q *Queries) listOnce(ctx context.Context, dst any, sql string, args ...any) error {
	ctx, cancel := limited(ctx, statementMax)
	defer cancel()
	once := plain{q.prepared.pool, sql}
	if q.tx != nil {
		once.on = q.tx
	}
	rows, err := once.QueryxContext(ctx, asSent(args)...)
	if err == nil {
		err = scanAll(rows, dst)
	}
	return translateIn(ctx, err)
}

// ChunkRef names a chunk.
type ChunkRef struct {
	PageID string
	Seq    int
}

// Passage is a chunk with what citations show of its page.
type Passage struct {
	PageID       string         `db:"page_id"`
	Seq          int            `db:"seq"`
	Number       int64          `db:"number"`
	CollectionID string         `db:"collection_id"`
	IsFile       bool           `db:"is_file"`
	URL          string         `db:"url"`
	FileName     string         `db:"file_name"`
	Title        string         `db:"title"`
	Description  string         `db:"description"`
	Image        string         `db:"image"`
	Metadata     types.JSONText `db:"metadata"`
	Heading      string         `db:"heading"`
	Body         string         `db:"body"`
	Tokens       int            `db:"tokens"`
}

// Passages returns chunks of pages that are not being removed, in no order.
func (q *Queries) Passages(ctx context.Context, accountID string, refs []ChunkRef) ([]Passage, error) {
	pages, seqs := make([]string, len(refs)), make([]int64, len(refs))
	for i, r := range refs {
		pages[i], seqs[i] = r.PageID, int64(r.Seq)
	}
	found := []Passage{}
	err := q.list(ctx, &found, `
		select c.page_id, c.seq, p.number, p.collection_id, p.is_file, p.url, p.file_name, p.title, p.description, p.image, p.metadata,
			c.heading, c.body, c.tokens
		from unnest($2::text[], $3::integer[]) as r (page_id, seq)
		join chunks c on c.account_id = $1 and c.page_id = r.page_id and c.seq = r.seq
		join pages p on p.account_id = $1 and p.page_id = c.page_id
		where `+notHidden,
		accountID, pq.Array(pages), pq.Array(seqs))
	return found, err
}
