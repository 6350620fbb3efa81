package db

import (
	"context"
	"fmt"
	"time"

	"github.com/lib/pq"
)

// EngagementEvent is something that an end user did. Dated false: At is when it
// was reported, and an earlier report of the same event counts instead.
type EngagementEvent struct {
	UserID     string
	ID         string
	At         time.Time
	Dated      bool
	Type       string
	Seconds    float64
	Properties string // JSON

	// What it adds to its slot.
	Creation, Interaction, Reaction        int64
	SocialPoints, Depths, DepthPoints      int64 // points in thousandths
	Achievement, Social, Mastery, Progress int64
}

// EngagementSlot is the sum of a user's events over a quarter of an hour, or over
// a longer time. Points are in thousandths.
type EngagementSlot struct {
	UserID       string    `db:"user_id"`
	Slot         time.Time `db:"slot"`
	Events       int64     `db:"events"`
	Creations    int64     `db:"creations"`
	Interactions int64     `db:"interactions"`
	Reactions    int64     `db:"reactions"`
	SocialPoints int64     `db:"social_points"`
	Depths       int64     `db:"depths"` // how many events have a depth
	DepthPoints  int64     `db:"depth_points"`
	Achievement  int64     `db:"achievement"`
	Social       int64     `db:"social"`
	Mastery      int64     `db:"mastery"`
	Progress     int64     `db:"progress"`
}

const slotColumns = `user_id, slot, events, creations, interactions, reactions, social_points, depths, depth_points,
	achievement, social, mastery, progress`

// recordEngagement stores events and adds those that are new to their slots, in
// one statement. Rows are written in the order of their keys, so that
// concurrent batches never wait for each other in a circle.
const recordEngagement = `
	with given as materialized (
		select *
		from unnest($2::text[], $3::text[], $4::timestamptz[], $5::boolean[], $6::text[], $7::double precision[], $8::text[],
				$9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[],
				$15::bigint[], $16::bigint[], $17::bigint[], $18::bigint[]) with ordinality
			as g (user_id, event_id, at, dated, type, seconds, properties, creation, interaction, reaction, social_points, depths,
				depth_points, achievement, social, mastery, progress, place)
	), undated as (
		insert into engagement_undated as u (account_id, user_id, event_id, at)
		select $1, user_id, event_id, at
		from given
		where not dated
		order by user_id, event_id
		on conflict on constraint engagement_undated_pkey do update
		set at = u.at
		returning user_id, event_id, at
	), timed as materialized (
		select g.*, coalesce(u.at, g.at) as happened_at
		from given g
		left join undated u on not g.dated and u.user_id = g.user_id and u.event_id = g.event_id
	), stored as (
		insert into engagement_events (account_id, user_id, event_id, at, type, seconds, properties)
		select $1, user_id, event_id, happened_at, type, seconds, properties::jsonb
		from timed
		order by user_id, happened_at, event_id
		on conflict do nothing
		returning user_id, event_id, at
	), counted as materialized (
		select t.*
		from timed t
		join stored s on s.user_id = t.user_id and s.event_id = t.event_id and s.at = t.happened_at
	), summed as (
		insert into engagement_slots as s (account_id, ` + slotColumns + `)
		select $1, user_id, date_bin('15 minutes', happened_at, 'epoch') as slot, count(*), sum(creation), sum(interaction), sum(reaction),
			sum(social_points), sum(depths), sum(depth_points), sum(achievement), sum(social), sum(mastery), sum(progress)
		from counted
		group by user_id, slot
		order by user_id, slot
		on conflict on constraint engagement_slots_pkey do update
		set events = s.events + excluded.events, creations = s.creations + excluded.creations,
			interactions = s.interactions + excluded.interactions, reactions = s.reactions + excluded.reactions,
			social_points = s.social_points + excluded.social_points, depths = s.depths + excluded.depths,
			depth_points = s.depth_points + excluded.depth_points, achievement = s.achievement + excluded.achievement,
			social = s.social + excluded.social, mastery = s.mastery + excluded.mastery, progress = s.progress + excluded.progress
	)
	select place - 1
	from counted
	order by place`

// plannedFrom is how many events are worth a plan of their own: that for any number
// of them expects ten, and compares each with each.
const plannedFrom = 50

// RecordEngagement stores what end users did and returns the places of the
// events that are new; the others were stored before. No two may share user and id.
func (q *Queries) RecordEngagement(ctx context.Context, accountID string, events []EngagementEvent) ([]int, error) {
	n := len(events)
	users, ids, types, properties := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	times, dated, seconds := make([]time.Time, n), make([]bool, n), make([]float64, n)
	sums := make([][]int64, 10)
	for i := range sums {
		sums[i] = make([]int64, n)
	}
	for i, e := range events {
		users[i], ids[i], types[i], properties[i] = e.UserID, e.ID, e.Type, e.Properties
		times[i], dated[i], seconds[i] = e.At.UTC(), e.Dated, e.Seconds
		for column, value := range []int64{
			e.Creation, e.Interaction, e.Reaction, e.SocialPoints, e.Depths, e.DepthPoints, e.Achievement, e.Social, e.Mastery, e.Progress,
		} {
			sums[column][i] = value
		}
	}
	args := []any{
		accountID, pq.Array(users), pq.Array(ids), pq.Array(times), pq.Array(dated), pq.Array(types), pq.Array(seconds), pq.Array(properties),
	}
	for _, column := range sums {
		args = append(args, pq.Array(column))
	}
	fresh := []int{}
	if n < plannedFrom {
		return fresh, q.list(ctx, &fresh, recordEngagement, args...)
	}
	q, err := q.within(ctx, recordEngagement)
	if err != nil {
		return nil, err
	}
	return fresh, q.listOnce(ctx, &fresh, recordEngagement, args...)
}

// EngagementSlots returns the sums of users' events from a time to before another, ordered by user and time.
func (q *Queries) EngagementSlots(ctx context.Context, accountID string, userIDs []string, from, to time.Time) ([]EngagementSlot, error) {
	slots := []EngagementSlot{}
	err := q.list(ctx, &slots, `
		select `+slotColumns+`
		from engagement_slots
		where account_id = $1 and user_id = any($2) and slot >= $3 and slot < $4
		order by user_id, slot`,
		accountID, pq.Array(userIDs), from, to)
	return slots, err
}

// EngagementDays is EngagementSlots with the slots of a day of UTC summed: Slot is its midnight.
func (q *Queries) EngagementDays(ctx context.Context, accountID string, userIDs []string, from, to time.Time) ([]EngagementSlot, error) {
	days := []EngagementSlot{}
	err := q.list(ctx, &days, `
		select user_id, date_bin('1 day', slot, 'epoch') as slot, sum(events)::bigint as events, sum(creations)::bigint as creations,
			sum(interactions)::bigint as interactions, sum(reactions)::bigint as reactions, sum(social_points)::bigint as social_points,
			sum(depths)::bigint as depths, sum(depth_points)::bigint as depth_points, sum(achievement)::bigint as achievement,
			sum(social)::bigint as social, sum(mastery)::bigint as mastery, sum(progress)::bigint as progress
		from engagement_slots
		where account_id = $1 and user_id = any($2) and slot >= $3 and slot < $4
		group by user_id, date_bin('1 day', slot, 'epoch')`,
		accountID, pq.Array(userIDs), from.UTC(), to.UTC())
	return days, err
}

// MakeEngagementMonth makes the partition for the events of the month that
// begins at a time, unless it exists. It crosses accounts: it is the server's housekeeping.
func (q *Queries) MakeEngagementMonth(ctx context.Context, month time.Time) error {
	month = month.UTC()
	name := "engagement_events_" + month.Format("200601")
	// The name is made of digits and the bounds of a date; DDL takes no parameters.
	_, err := q.exec(ctx, fmt.Sprintf(`create table if not exists %s partition of engagement_events for values from ('%s') to ('%s')`,
		name, month.Format(time.RFC3339), month.AddDate(0, 1, 0).Format(time.RFC3339)))
	return err
}
