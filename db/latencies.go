package db

import (
	"context"
	"math"

	"github.com/lib/pq"
)

// Latency is how long the completed answers of a group took, in milliseconds.
// Quantiles are too large by a fifth at most. Figures of nothing are nil.
type Latency struct {
	Day      string `db:"day"`
	KeyID    string `db:"key_id"`
	ModelID  string `db:"model_id"`
	Answers  int64  `db:"answers"`
	SumMs    int64  `db:"sum_ms"`
	P50      *int   `db:"p50"` // buckets; see Ms
	P95      *int   `db:"p95"`
	FirstP50 *int   `db:"first_p50"`
	FirstP95 *int   `db:"first_p95"`
}

// Ms is the upper end of a bucket.
func Ms(bucket int) int64 { return int64(math.Ceil(math.Pow(2, float64(bucket+1)/4))) }

// Latencies sums what is folded of latencies by the filter's days and groups, of which only day, key and model are known.
func (q *Queries) Latencies(ctx context.Context, accountID string, f UsageFilter) ([]Latency, error) {
	found := []Latency{}
	err := q.list(ctx, &found, `
		with counted as (
			select case when 'day' = any($4) then day::text else '' end as day, case when 'key_id' = any($4) then key_id else '' end as key_id,
				case when 'model_id' = any($4) then model_id else '' end as model_id, measure, bucket, sum(answers) as answers, sum(sum_ms) as sum_ms
			from usage_latencies
			where account_id = $1 and day >= $2::date and day < $3::date
			group by 1, 2, 3, 4, 5
		), added as (
			select *, sum(answers) over (partition by day, key_id, model_id, measure order by bucket) as upto,
				sum(answers) over (partition by day, key_id, model_id, measure) as total
			from counted
		)
		select day, key_id, model_id, coalesce(sum(answers) filter (where measure = 'took'), 0)::bigint as answers,
			coalesce(sum(sum_ms) filter (where measure = 'took'), 0)::bigint as sum_ms,
			min(bucket) filter (where measure = 'took' and upto * 2 >= total) as p50, min(bucket) filter (where measure = 'took' and upto * 100 >= total * 95) as p95,
			min(bucket) filter (where measure = 'first' and upto * 2 >= total) as first_p50, min(bucket) filter (where measure = 'first' and upto * 100 >= total * 95) as first_p95
		from added
		group by day, key_id, model_id
		order by day, key_id, model_id
		limit 100000`,
		accountID, f.From.UTC().Format(day), f.To.UTC().Format(day), pq.Array(f.By))
	return found, err
}
