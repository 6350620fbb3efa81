package db

import (
	"context"
	"fmt"
	"hash/fnv"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/lib/pq"
)

// Vectors of chunks stand in chunks.embedding, on every Postgres. Where the
// database has pgvector, a server makes a table of them beside, derived and
// never backed up, by which the nearest to a question are found: all vectors of a small
// collection are compared; a large one has an HNSW index of its own, so that
// neither cost nor recall depends on what others hold.

const (
	// vectorsTable is made by UseVectors, not by a migration: the schema does not need pgvector.
	vectorsTable = "chunk_vectors"
	// vectorsLock lets one server at a time make the table.
	vectorsLock = 0x7061726c_76656331
	// vectorIndexPrefix begins the names of the indexes of large collections.
	vectorIndexPrefix = "chunk_vectors_near_"
	// vectorsComparedMax is how many vectors of a collection a search compares one by one.
	vectorsComparedMax = 20_000
	// indexedDimensionsMax is what an HNSW index of pgvector can hold in numbers of two bytes.
	indexedDimensionsMax = 4000
	// vectorPages is how many pages' vectors one statement copies.
	vectorPages = 100
	// vectorIndexMax bounds the building of an index.
	vectorIndexMax = 30 * time.Minute
)

// UseVectors lets this pool's searches use pgvector and makes the table for it;
// made tells that it was not there. Why is for people: what the database
// lacks, "" for nothing; searches do without then.
func (d *DB) UseVectors(ctx context.Context) (made bool, why string, err error) {
	ctx, cancel := limited(ctx, transactionMax)
	defer cancel()
	tx, err := d.pool.BeginTxx(ctx, nil)
	if err != nil {
		return false, "", fmt.Errorf("begin: %w", translateIn(ctx, err))
	}
	defer func() { _ = tx.Rollback() }() // does nothing after the commit
	if _, err := tx.ExecContext(ctx, `select pg_advisory_xact_lock($1)`, int64(vectorsLock)); err != nil {
		return false, "", translateIn(ctx, err)
	}
	var has struct {
		Offered   bool `db:"offered"`
		Installed bool `db:"installed"`
		Halves    bool `db:"halves"`
		Table     bool `db:"made"`
	}
	look := func() error {
		return translateIn(ctx, tx.GetContext(ctx, &has, `
			select exists(select from pg_available_extensions where name = 'vector') as offered,
				exists(select from pg_extension where extname = 'vector') as installed,
				to_regtype('halfvec') is not null as halves, to_regclass('`+vectorsTable+`') is not null as made`))
	}
	if err := look(); err != nil {
		return false, "", err
	}
	if !has.Offered && !has.Installed {
		return false, "the database has no pgvector", nil
	}
	if !has.Installed {
		if _, err := tx.ExecContext(ctx, `create extension vector`); err != nil {
			return false, "pgvector is not installed in the database, and this role may not (create extension vector): " + err.Error(), nil
		}
		if err := look(); err != nil {
			return false, "", err
		}
	}
	if !has.Halves {
		return false, "pgvector is older than 0.7, or not on the search_path", nil
	}
	if !has.Table {
		if _, err := tx.ExecContext(ctx, `
			create table `+vectorsTable+` (
				account_id text not null,
				page_id text not null,
				seq integer not null,
				collection_id text not null,
				model text not null,
				dimensions integer not null,
				embedding halfvec not null,
				constraint chunk_vectors_pkey primary key (account_id, page_id, seq),
				constraint chunk_vectors_chunk_fkey foreign key (account_id, page_id, seq) references chunks on delete cascade
			);
			alter table `+vectorsTable+` alter column embedding set storage main;
			create index chunk_vectors_of_collection on `+vectorsTable+` (account_id, collection_id, model, dimensions)`); err != nil {
			return false, "the table of vectors cannot be made: " + err.Error(), nil
		}
	}
	if err := tx.Commit(); err != nil {
		return false, "", fmt.Errorf("commit: %w", translateIn(ctx, err))
	}
	d.vectors.Store(true)
	return !has.Table, "", nil
}

// HasVectors tells whether searches of this pool use pgvector.
func (d *DB) HasVectors() bool { return d.vectors.Load() }

// CollectionRef names a collection.
type CollectionRef struct {
	AccountID string `db:"account_id"`
	ID        string `db:"collection_id"`
}

// EmbeddedCollections names the collections with vectors. It crosses accounts
// and reads all chunks: for the start that made the table of vectors.
func (q *Queries) EmbeddedCollections(ctx context.Context) ([]CollectionRef, error) {
	found := []CollectionRef{}
	err := q.list(ctx, &found, `
		select distinct account_id, collection_id
		from chunks
		where embedding is not null
		order by account_id, collection_id`)
	return found, err
}

// SyncVectors copies the vectors of a collection that the table lacks. What is
// deleted goes with its chunk. Without pgvector it does nothing.
func (d *DB) SyncVectors(ctx context.Context, accountID, collectionID string) error {
	if !d.vectors.Load() {
		return nil
	}
	for after := ""; ; {
		var last *string
		err := d.get(ctx, &last, `
			with batch as materialized (
				select page_id
				from pages
				where account_id = $1 and collection_id = $2 and page_id > $3
				order by page_id
				limit $4
			), put as (
				insert into `+vectorsTable+` (account_id, page_id, seq, collection_id, model, dimensions, embedding)
				select c.account_id, c.page_id, c.seq, c.collection_id, c.embedding_model, array_length(c.embedding, 1),
					l2_normalize(c.embedding::vector)::halfvec
				from batch b
				join chunks c on c.account_id = $1 and c.page_id = b.page_id
				where c.embedding is not null and array_length(c.embedding, 1) <= 16000
					and not c.embedding && '{NaN,Infinity,-Infinity}'::real[]
					and (select true from `+vectorsTable+` v where v.account_id = $1 and v.page_id = c.page_id and v.seq = c.seq) is null
				on conflict do nothing
			)
			select max(page_id) from batch`,
			accountID, collectionID, after, vectorPages)
		if err != nil || last == nil {
			return err
		}
		after = *last
	}
}

// NearChunk is a chunk with how like its vector is to the question's, 1 for the same direction.
type NearChunk struct {
	PageID   string  `db:"page_id"`
	Seq      int     `db:"seq"`
	Likeness float64 `db:"likeness"`
}

// NearChunks returns the chunks of a collection whose vectors of a model are the nearest to one, the nearest
// first; vectors of another length are passed over. Without pgvector there are none.
func (d *DB) NearChunks(ctx context.Context, accountID, collectionID, model string, vector []float32, limit int) ([]NearChunk, error) {
	found := []NearChunk{}
	n := len(vector)
	if !d.vectors.Load() || n == 0 || !direction(vector) {
		return found, nil
	}
	near := fmt.Sprintf("embedding::halfvec(%d) <=> l2_normalize($5::text::vector)::halfvec(%d)", n, n)
	err := d.listOnce(ctx, &found, `
		select page_id, seq, 1 - (`+near+`) as likeness
		from `+vectorsTable+`
		where account_id = $1 and collection_id = $2 and model = $3 and dimensions = $4
		order by `+near+`
		limit $6`,
		accountID, collectionID, model, n, vectorText(vector), limit)
	return found, err
}

// direction tells whether a vector has one: it is not all zeros, and of numbers.
func direction(vector []float32) bool {
	var sum float64
	for _, v := range vector {
		sum += float64(v) * float64(v)
	}
	return sum > 0 && !math.IsInf(sum, 0) && !math.IsNaN(sum)
}

// vectorText is a vector as pgvector writes it.
func vectorText(vector []float32) string {
	b := []byte{'['}
	for i, v := range vector {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendFloat(b, float64(v), 'g', -1, 32)
	}
	return string(append(b, ']'))
}

// vectorIndex is an index of the vectors of a large collection.
type vectorIndex struct {
	Name  string `db:"name"`
	Of    string `db:"of_collection"` // account and collection; "" when a server died before it said so
	Valid bool   `db:"valid"`
	Under bool   `db:"under_way"`
	Stray bool   `db:"stray"` // its collection is gone
}

// IndexVectors gives a collection whose vectors are too many to be compared
// one by one an index of them, and takes away what it, or a collection that is
// gone, has no more use for. It waits for transactions under way and may take
// minutes. Without pgvector it does nothing.
func (d *DB) IndexVectors(ctx context.Context, accountID, collectionID string) error {
	if !d.vectors.Load() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, vectorIndexMax)
	defer cancel()
	var sets []struct {
		Model      string `db:"model"`
		Dimensions int    `db:"dimensions"`
	}
	if err := d.list(ctx, &sets, `
		select model, dimensions
		from `+vectorsTable+`
		where account_id = $1 and collection_id = $2
		group by model, dimensions
		having count(*) > $3 and dimensions <= $4`,
		accountID, collectionID, vectorsComparedMax, indexedDimensionsMax); err != nil {
		return err
	}
	there, err := d.vectorIndexes(ctx)
	if err != nil {
		return err
	}
	wanted, of := map[string]bool{}, accountID+" "+collectionID
	for _, set := range sets {
		name := vectorIndexName(of, set.Model, set.Dimensions)
		wanted[name] = true
		if err := d.ensureVectorIndex(ctx, there[name], name, of, set.Model, set.Dimensions); err != nil {
			return err
		}
	}
	for name, x := range there {
		if x.Under || wanted[name] || x.Of != of && !x.Stray {
			continue
		}
		if _, err := d.pool.ExecContext(ctx, `drop index concurrently if exists `+pq.QuoteIdentifier(name)); err != nil {
			return fmt.Errorf("drop an index of vectors: %w", translateIn(ctx, err))
		}
	}
	return nil
}

func vectorIndexName(of, model string, dimensions int) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(of + " " + strconv.Itoa(dimensions) + " " + model))
	return vectorIndexPrefix + strconv.FormatUint(h.Sum64(), 16)
}

// vectorIndexes are the indexes of large collections, by name. It crosses accounts.
func (d *DB) vectorIndexes(ctx context.Context) (map[string]vectorIndex, error) {
	rows := []vectorIndex{}
	if err := d.list(ctx, &rows, `
		select i.relname as name, coalesce(d.description, '') as of_collection, x.indisvalid as valid,
			exists(select from pg_stat_progress_create_index p where p.index_relid = i.oid) as under_way,
			d.description is not null and not exists(select from collections c
				where c.account_id = split_part(d.description, ' ', 1) and c.collection_id = split_part(d.description, ' ', 2)) as stray
		from pg_index x
		join pg_class i on i.oid = x.indexrelid
		left join pg_description d on d.objoid = i.oid and d.classoid = 'pg_class'::regclass and d.objsubid = 0
		where x.indrelid = '`+vectorsTable+`'::regclass and starts_with(i.relname, $1)`,
		vectorIndexPrefix); err != nil {
		return nil, err
	}
	all := map[string]vectorIndex{}
	for _, row := range rows {
		all[row.Name] = row
	}
	return all, nil
}

// ensureVectorIndex builds an index that is not there, or was not built to its end, and notes whose it is.
func (d *DB) ensureVectorIndex(ctx context.Context, there vectorIndex, name, of, model string, dimensions int) error {
	if there.Under || there.Valid && there.Of == of {
		return nil
	}
	accountID, collectionID, _ := strings.Cut(of, " ")
	var steps []string
	if !there.Valid {
		steps = append(steps, `drop index concurrently if exists `+name, fmt.Sprintf(`create index concurrently %s on %s using hnsw ((embedding::halfvec(%d)) halfvec_cosine_ops)
			where account_id = %s and collection_id = %s and model = %s and dimensions = %d`,
			name, vectorsTable, dimensions, pq.QuoteLiteral(accountID), pq.QuoteLiteral(collectionID), pq.QuoteLiteral(model), dimensions))
	}
	steps = append(steps, `comment on index `+name+` is `+pq.QuoteLiteral(of))
	for _, sql := range steps {
		if _, err := d.pool.ExecContext(ctx, sql); err != nil {
			return fmt.Errorf("build an index of vectors: %w", translateIn(ctx, err))
		}
	}
	return nil
}
