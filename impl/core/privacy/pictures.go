package privacy

import (
	"archive/zip"
	"context"
	"encoding/json"
	"errors"
	"io"

	"parley/db"
	"parley/impl/blobs"
)

// picturesKind is where package image keeps the content of pictures.
const picturesKind = "images"

// picture is what an archive's row says of a picture that has content.
type picture struct {
	ID        string `json:"image_id"`
	State     string `json:"state"`
	MediaType string `json:"media_type"`
}

func pictureOf(table string, row []byte) (picture, bool) {
	var p picture
	return p, table == "images" && json.Unmarshal(row, &p) == nil && p.State == db.ImageReady
}

func (p picture) file() string {
	if p.MediaType == "image/jpeg" {
		return "images/" + p.ID + ".jpg"
	}
	return "images/" + p.ID + ".png"
}

// addPictures adds the content of pictures to an archive and returns how many there were. Those that are gone by now are left out.
func (s *Service) addPictures(ctx context.Context, z *zip.Writer, accountID string, pictures []picture) (int, error) {
	added := 0
	for _, p := range pictures {
		content, err := s.Blobs.Get(ctx, blobs.Name{AccountID: accountID, Kind: picturesKind, ID: p.ID})
		if errors.Is(err, blobs.ErrNotFound) {
			continue
		}
		if err != nil {
			return added, err
		}
		if err := errors.Join(add(z, p.file(), content), content.Close()); err != nil {
			return added, err
		}
		added++
	}
	return added, nil
}

// add stores a file as it is: pictures are packed already.
func add(z *zip.Writer, name string, content io.Reader) error {
	file, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
	if err == nil {
		_, err = io.Copy(file, content)
	}
	return err
}
