package project

import (
	"bytes"
	"context"
	"errors"
	"io"

	"parley/db"
	"parley/impl/blobs"
	"parley/impl/core/fault"
	"parley/impl/core/id"
)

// File is a file that somebody sends.
type File struct {
	Name    string
	Type    string // as its sender states it; "" without one
	Size    int64
	Content func() io.Reader // from the beginning, each time
}

const (
	// imageKind is the kind of the blobs of pictures.
	imageKind = "images"
	// imageBytesMax is the ceiling of a picture.
	imageBytesMax = 5 << 20
	sniffBytes    = 16
)

// imageType is the media type of a picture, as its first bytes tell; "" for anything else.
func imageType(head []byte) string {
	switch {
	case bytes.HasPrefix(head, []byte("GIF87a")), bytes.HasPrefix(head, []byte("GIF89a")):
		return "image/gif"
	case bytes.HasPrefix(head, []byte("\xff\xd8\xff")):
		return "image/jpeg"
	case bytes.HasPrefix(head, []byte("\x89PNG\r\n\x1a\n")):
		return "image/png"
	case len(head) >= 12 && string(head[:4]) == "RIFF" && string(head[8:12]) == "WEBP":
		return "image/webp"
	}
	return ""
}

// keepImages stores the bytes of pictures; the result has nil where there is none.
func (s *Service) keepImages(ctx context.Context, accountID string, files ...*File) ([]*db.ProjectImage, error) {
	kept := make([]*db.ProjectImage, len(files))
	for i, f := range files {
		if f == nil {
			continue
		}
		row, err := s.keepImage(ctx, accountID, *f)
		if err != nil {
			return nil, errors.Join(err, s.dropBlobs(ctx, kept))
		}
		kept[i] = &row
	}
	return kept, nil
}

func (s *Service) keepImage(ctx context.Context, accountID string, f File) (db.ProjectImage, error) {
	head, err := io.ReadAll(io.LimitReader(f.Content(), sniffBytes))
	if err != nil {
		return db.ProjectImage{}, err
	}
	row := db.ProjectImage{AccountID: accountID, ID: id.Number(), BlobID: id.New("img_"), MediaType: imageType(head), CreatedAt: s.Now()}
	if row.MediaType == "" {
		return db.ProjectImage{}, fault.New(fault.Invalid, "A picture has to be a PNG, JPEG, GIF or WebP image.")
	}
	row.Bytes, err = s.Blobs.Put(ctx, imageName(row), imageBytesMax, func(w io.Writer) error {
		_, err := io.Copy(w, f.Content())
		return err
	})
	if errors.Is(err, blobs.ErrTooLarge) {
		return db.ProjectImage{}, fault.New(fault.TooLarge, "A picture may have %d bytes at most.", imageBytesMax)
	}
	return row, err
}

// place stores the rows of new pictures, points at them and returns whom they replace.
func place(ctx context.Context, q *db.Queries, kept []*db.ProjectImage, pointers ...**int64) ([]*int64, error) {
	var gone []*int64
	for i, row := range kept {
		if row == nil {
			continue
		}
		if err := q.InsertProjectImage(ctx, *row); err != nil {
			return nil, err
		}
		gone = append(gone, *pointers[i])
		*pointers[i] = &row.ID
	}
	return gone, nil
}

func (s *Service) dropBlobs(ctx context.Context, kept []*db.ProjectImage) error {
	var errs []error
	for _, row := range kept {
		if row != nil {
			errs = append(errs, s.Blobs.Delete(context.WithoutCancel(ctx), imageName(*row)))
		}
	}
	return errors.Join(errs...)
}

// dropImages removes pictures that nothing points at any more.
func (s *Service) dropImages(ctx context.Context, accountID string, files []*int64) error {
	for _, fileID := range files {
		if fileID == nil {
			continue
		}
		row, err := s.DB.ProjectImage(ctx, accountID, *fileID)
		if errors.Is(err, db.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if err := s.DB.DeleteProjectImage(ctx, accountID, *fileID); err != nil {
			return err
		}
		if err := s.dropBlobs(ctx, []*db.ProjectImage{&row}); err != nil {
			return err
		}
	}
	return nil
}

// images are where settings point at their pictures.
func (s *Settings) images() []**int64 {
	return []**int64{&s.AvatarID, &s.BackgroundID, &s.UserAvatarID, &s.SpotlightID}
}

// copyImages gives settings copies of their pictures, so that each project deletes its own.
func (s *Service) copyImages(ctx context.Context, accountID string, set *Settings) error {
	pointers := set.images()
	files := make([]*File, len(pointers))
	for i, p := range pointers {
		if *p == nil {
			continue
		}
		picture, err := s.Preview(ctx, accountID, **p)
		if err != nil {
			return err
		}
		raw, err := io.ReadAll(picture.Content)
		if err := errors.Join(err, picture.Content.Close()); err != nil {
			return err
		}
		files[i] = &File{Size: picture.Bytes, Content: func() io.Reader { return bytes.NewReader(raw) }}
	}
	kept, err := s.keepImages(ctx, accountID, files...)
	if err != nil {
		return err
	}
	return s.DB.InTx(ctx, func(q *db.Queries) error {
		_, err := place(ctx, q, kept, pointers...)
		return err
	})
}

func imageName(i db.ProjectImage) blobs.Name {
	return blobs.Name{AccountID: i.AccountID, Kind: imageKind, ID: i.BlobID}
}

// Preview is a file to show.
type Preview struct {
	MediaType string
	Name      string // under which it is saved; "" for a picture
	Bytes     int64
	Content   io.ReadCloser
}

// Preview opens a picture or a kept file of the account; any other number is a NotFound fault.
func (s *Service) Preview(ctx context.Context, accountID string, fileID int64) (Preview, error) {
	row, err := s.DB.ProjectImage(ctx, accountID, fileID)
	if errors.Is(err, db.ErrNotFound) {
		return s.previewOfPage(ctx, accountID, fileID)
	}
	if err != nil {
		return Preview{}, err
	}
	content, err := s.Blobs.Get(ctx, imageName(row))
	if errors.Is(err, blobs.ErrNotFound) {
		return Preview{}, fault.New(fault.NotFound, "File with id %d not found", fileID)
	}
	return Preview{MediaType: row.MediaType, Bytes: row.Bytes, Content: content}, err
}
