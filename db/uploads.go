package db

import "context"

// Uploads lists the pictures that people sent, the newest first, from before an id ("" from the newest).
func (q *Queries) Uploads(ctx context.Context, accountID, beforeID string, limit int) ([]Image, error) {
	images := []Image{}
	err := q.list(ctx, &images, `
		select `+imageColumns+`
		from images
		where account_id = $1 and purpose = 'upload' and `+ifGiven(beforeID, "image_id < $3")+`
		order by image_id desc
		limit $2`,
		accountID, limit, beforeID)
	return images, err
}

// StorageLeft is StoredBytes for a transaction that is about to store more:
// until it ends no other of the account gets past this.
func (q *Queries) StorageLeft(ctx context.Context, accountID string) (used int64, allowed *int64, err error) {
	_, err = q.exec(ctx, `
		select 1
		from accounts
		where account_id = $1
		for no key update`,
		accountID)
	if err != nil {
		return 0, nil, err
	}
	return q.StoredBytes(ctx, accountID)
}
