package project

import (
	"context"
	"errors"
	"strings"
	"time"

	"parley/db"
)

// Profile is whom the surface shows for an account: its one user.
type Profile struct {
	Number    int64
	Team      int64
	Name      string
	ImageID   *int64
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Profile returns whom the surface shows for an account.
func (s *Service) Profile(ctx context.Context, accountID string) (Profile, error) {
	account, err := s.DB.Account(ctx, accountID)
	if err != nil {
		return Profile{}, err
	}
	p := Profile{
		Number: Number(accountID), Team: Number(accountID), Name: account.Name, CreatedAt: account.CreatedAt, UpdatedAt: account.CreatedAt,
	}
	row, err := s.DB.ProjectProfile(ctx, accountID)
	if errors.Is(err, db.ErrNotFound) {
		return p, nil
	}
	if err != nil {
		return Profile{}, err
	}
	p.Name, p.ImageID, p.UpdatedAt = row.Name, row.ImageID, row.UpdatedAt
	return p, nil
}

// UpdateProfile changes the name, unless it is nil, and the picture, unless there is none.
func (s *Service) UpdateProfile(ctx context.Context, accountID string, name *string, picture *File) (Profile, error) {
	kept, err := s.keepImages(ctx, accountID, picture)
	if err != nil {
		return Profile{}, err
	}
	p, err := s.Profile(ctx, accountID)
	if err != nil {
		return Profile{}, errors.Join(err, s.dropBlobs(ctx, kept))
	}
	if name != nil {
		p.Name = strings.TrimSpace(*name)
	}
	p.UpdatedAt = s.Now()
	var gone []*int64
	err = s.DB.InTx(ctx, func(q *db.Queries) error {
		if gone, err = place(ctx, q, kept, &p.ImageID); err != nil {
			return err
		}
		return q.PutProjectProfile(ctx, db.ProjectProfile{AccountID: accountID, Name: p.Name, ImageID: p.ImageID, UpdatedAt: p.UpdatedAt})
	})
	if err != nil {
		return Profile{}, errors.Join(err, s.dropBlobs(ctx, kept))
	}
	return p, s.dropImages(ctx, accountID, gone)
}
