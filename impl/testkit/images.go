package testkit

import (
	"bytes"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"testing"

	"parley/db"
	"parley/impl/blobs"
	"parley/impl/core/id"
	"parley/impl/core/model"
)

// Image stores a picture of 8 by 8 pixels that nothing was paid for: a PNG unless an edit makes it a JPEG.
func (a Account) Image(t testing.TB, edits ...func(*db.Image)) db.Image {
	t.Helper()
	modelID := model.BuiltInSD
	row := db.Image{
		AccountID: a.ID, ID: id.New(id.Image), Purpose: db.ImageListed, AppID: "app_none", ModelID: &modelID, Prompt: "A picture",
		Width: 8, Height: 8, State: db.ImageReady, Progress: 100, MediaType: "image/png", CreatedAt: now(),
	}
	for _, edit := range edits {
		edit(&row)
	}
	var content bytes.Buffer
	encode := png.Encode
	if row.MediaType == "image/jpeg" {
		encode = func(w io.Writer, m image.Image) error { return jpeg.Encode(w, m, nil) }
	}
	if err := encode(&content, image.NewGray(image.Rect(0, 0, 8, 8))); err != nil {
		t.Fatal(err)
	}
	row.Bytes = int64(content.Len())
	name := blobs.Name{AccountID: a.ID, Kind: "images", ID: row.ID}
	if _, err := a.server.App.Blobs.Put(t.Context(), name, 1<<20, func(w io.Writer) error { _, err := content.WriteTo(w); return err }); err != nil {
		t.Fatal(err)
	}
	if err := a.server.DB.InsertImage(t.Context(), row); err != nil {
		t.Fatal(err)
	}
	return row
}
