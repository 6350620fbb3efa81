package db

import "context"

// CallerByKey is CallerByHash for a key that a token names, whatever its state.
func (q *Queries) CallerByKey(ctx context.Context, accountID, keyID string) (Caller, error) {
	var c Caller
	err := q.get(ctx, &c, `
		select k.account_id, k.key_id, k.app_id, k.kind, k.scopes, k.origins, k.agents, k.plan, k.active, k.expires_at, k.last_used_at,
			app.agent_id, app.knows as app_knows, app.project_id, p.name as plan_name, p.requests_per_minute, p.concurrent_streams, p.tokens_per_minute,
			`+catalogVersion("k.account_id")+`
		from keys k
		join accounts a on a.account_id = k.account_id
		join apps app on app.account_id = k.account_id and app.app_id = k.app_id
		join plans p on p.name = coalesce(k.plan, a.plan)
		where k.account_id = $1 and k.key_id = $2`,
		accountID, keyID)
	return c, err
}

// CallerByClient is CallerByKey for an OAuth client.
func (q *Queries) CallerByClient(ctx context.Context, accountID, clientID string) (Caller, error) {
	var c Caller
	err := q.get(ctx, &c, `
		select c.account_id, c.client_id as key_id, c.app_id, 'secret' as kind, c.scopes, '{}'::text[] as origins, c.active, c.last_used_at,
			app.agent_id, app.knows as app_knows, p.name as plan_name, p.requests_per_minute, p.concurrent_streams, p.tokens_per_minute,
			`+catalogVersion("c.account_id")+`
		from oauth_clients c
		join accounts a on a.account_id = c.account_id
		join apps app on app.account_id = c.account_id and app.app_id = c.app_id
		join plans p on p.name = a.plan
		where c.account_id = $1 and c.client_id = $2`,
		accountID, clientID)
	return c, err
}
