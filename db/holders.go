package db

import "context"

// MarkHolder notes that an agent or app (HolderAgent, HolderApp) has knowledge, and keeps it
// as it is until the transaction ends. One that is not there is ErrNotFound.
func (q *Queries) MarkHolder(ctx context.Context, accountID, kind, holderID string) error {
	table, key := "agents", "agent_id"
	if kind == HolderApp {
		table, key = "apps", "app_id"
	}
	return q.execOne(ctx, `
		update `+table+`
		set knows = true
		where account_id = $1 and `+key+` = $2`,
		accountID, holderID)
}

// HeldCollections returns the ids of the collections that an agent and an app answer
// from; an id "" stands for none of them.
func (q *Queries) HeldCollections(ctx context.Context, accountID, agentID, appID string) ([]string, error) {
	ids := []string{}
	err := q.list(ctx, &ids, `
		select distinct collection_id
		from collection_links
		where account_id = $1 and (holder_kind = 'agent' and holder_id = $2 or holder_kind = 'app' and holder_id = $3)
		order by collection_id`,
		accountID, agentID, appID)
	return ids, err
}

// Files lists the uploads of a collection, the newest first, from before an id; "" starts with the newest.
func (q *Queries) Files(ctx context.Context, accountID, collectionID, beforeID string, offset, limit int) ([]Page, error) {
	found := []Page{}
	err := q.list(ctx, &found, `
		select `+pageColumns+`
		from pages p
		where account_id = $1 and collection_id = $2 and is_file and `+ifGiven(beforeID, "page_id < $3")+` and `+notHidden+`
		order by page_id desc
		offset $4 limit $5`,
		accountID, collectionID, beforeID, offset, limit)
	return found, err
}
