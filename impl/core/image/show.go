package image

import (
	"context"
	"encoding/base64"
	"errors"
	"io"

	"parley/db"
	"parley/impl/core/fault"
	"parley/impl/core/file"
)

// Find returns pictures of the account that are finished, in the order of their ids; one
// that is missing is a NotFound fault.
func (s *Service) Find(ctx context.Context, accountID string, imageIDs []string) ([]db.Image, error) {
	named, err := s.Named(ctx, accountID, imageIDs)
	if err != nil {
		return nil, err
	}
	found := make([]db.Image, len(imageIDs))
	for n, imageID := range imageIDs {
		row, ok := named[imageID]
		if !ok {
			return nil, errMissing
		}
		found[n] = row
	}
	return found, nil
}

// Shown returns pictures of the account as models are shown them, by id: data
// URLs of what is left of them after file.Reduce. Those that are gone are left out.
func (s *Service) Shown(ctx context.Context, accountID string, imageIDs []string) (map[string]string, error) {
	shown := map[string]string{}
	for _, imageID := range imageIDs {
		if shown[imageID] != "" {
			continue
		}
		p, err := s.content(ctx, accountID, imageID)
		if err != nil && fault.KindOf(err) == fault.NotFound {
			continue
		}
		if err == nil {
			p, err = file.Reduce(ctx, p)
		}
		if err != nil {
			return nil, err
		}
		shown[imageID] = "data:" + p.MediaType + ";base64," + base64.StdEncoding.EncodeToString(p.Content)
	}
	return shown, nil
}

func (s *Service) content(ctx context.Context, accountID, imageID string) (file.Picture, error) {
	i, content, err := s.Open(ctx, accountID, imageID)
	if err != nil {
		return file.Picture{}, err
	}
	raw, err := io.ReadAll(content)
	return file.Picture{Content: raw, MediaType: i.MediaType, Width: i.Width, Height: i.Height}, errors.Join(err, content.Close())
}
