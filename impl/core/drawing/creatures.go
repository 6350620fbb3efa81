package drawing

import (
	"image/color"
	"math"
)

func (s *sheet) bird(x, y, size float64) {
	s.MoveTo(x-26*size, y-6*size)
	s.QuadraticTo(x-12*size, y-20*size, x, y)
	s.QuadraticTo(x+12*size, y-20*size, x+26*size, y-6*size)
	s.stroke(ink, 5)
}

func (s *sheet) balloon(x, y, size float64) {
	c := one(s, fabrics)
	s.DrawLine(x-18*size, y+44*size, x-9*size, y+78*size)
	s.DrawLine(x+18*size, y+44*size, x+9*size, y+78*size)
	s.stroke(ink, 3)
	s.DrawRoundedRectangle(x-13*size, y+76*size, 26*size, 20*size, 4)
	s.inked(hex(0xa9714b))
	s.DrawEllipse(x, y, 50*size, 56*size)
	s.inked(c)
	s.DrawEllipse(x, y, 22*size, 56*size)
	s.lined(lighter(c, 0.5), 3)
}

func (s *sheet) rocket(x, y, size float64) {
	s.Push()
	s.RotateAbout(0.5, x, y)
	s.polygon(x-14*size, y+66*size, x, y+122*size, x+14*size, y+66*size)
	s.inked(hex(0xffb347))
	for _, side := range []float64{-1, 1} {
		s.polygon(x+side*24*size, y+22*size, x+side*52*size, y+74*size, x+side*20*size, y+62*size)
		s.inked(hex(0xc8343c))
	}
	s.MoveTo(x, y-92*size)
	s.CubicTo(x+44*size, y-40*size, x+34*size, y+30*size, x+22*size, y+66*size)
	s.LineTo(x-22*size, y+66*size)
	s.CubicTo(x-34*size, y+30*size, x-44*size, y-40*size, x, y-92*size)
	s.inked(hex(0xf4f1ea))
	s.DrawCircle(x, y-18*size, 15*size)
	s.inked(hex(0x7cc6e8))
	s.Pop()
}

var (
	felines = []string{"cat", "kitten", "tiger", "lion"}
	canines = []string{"dog", "puppy", "wolf", "fox"}
)

// pet is a cat or a dog, in the colour that stands before one of its names.
func (s *sheet) pet(x, base float64, names []string, cat bool) {
	fur := lighter(one(s, hairs), 0.25)
	if c, ok := s.words.coloured(names...); ok {
		fur = lighter(c, 0.12)
	}
	for _, pen := range []struct {
		c     color.Color
		width float64
	}{{ink, 19}, {fur, 12}} {
		s.MoveTo(x+44, base)
		s.QuadraticTo(x+98, base-20, x+84, base-66)
		s.stroke(pen.c, pen.width)
	}
	s.DrawEllipse(x, base-32, 56, 50)
	s.inked(fur)
	s.DrawEllipse(x, base-22, 28, 32)
	s.filled(lighter(fur, 0.4))
	for _, side := range []float64{-1, 1} {
		if cat {
			s.polygon(x+side*14, base-128, x+side*44, base-150, x+side*42, base-104)
		} else {
			s.DrawEllipse(x+side*44, base-92, 13, 32)
		}
		s.inked(darker(fur, 0.12))
	}
	s.DrawEllipse(x, base-98, 46, 39)
	s.inked(fur)
	s.muzzle(x, base-98, cat)
}

func (s *sheet) muzzle(x, y float64, cat bool) {
	for _, side := range []float64{-1, 1} {
		s.DrawEllipse(x+side*17, y-4, 10, 11)
		s.filled(hex(0xf3e9b0))
		s.DrawEllipse(x+side*17, y-4, 6, 9)
		s.filled(ink)
		s.DrawCircle(x+side*17+2, y-7, 2.4)
		s.filled(hex(0xffffff))
		s.MoveTo(x, y+14)
		s.QuadraticTo(x+side*8, y+24, x+side*16, y+16)
		s.stroke(hex(0x1c1622), 3)
		if cat {
			s.DrawLine(x+side*22, y+10, x+side*54, y+4)
			s.DrawLine(x+side*22, y+16, x+side*54, y+20)
			s.stroke(ink, 2)
		}
	}
	s.polygon(x-7, y+7, x+7, y+7, x, y+15)
	s.filled(hex(0xc2566b))
}

func (s *sheet) robot(x, base, size float64) {
	metal := one(s, fabrics)
	if c, ok := s.words.coloured("robot", "android"); ok {
		metal = c
	}
	metal = lighter(metal, 0.35)
	for _, side := range []float64{-1, 1} {
		s.DrawRoundedRectangle(x+side*24*size-11*size, base-30*size, 22*size, 36*size, 6)
		s.inked(darker(metal, 0.25))
		s.MoveTo(x+side*48*size, base-92*size)
		s.LineTo(x+side*76*size, base-66*size-s.between(0, 50))
		s.stroke(ink, 17*size)
		s.DrawCircle(x+side*76*size, base-74*size, 12*size)
		s.inked(darker(metal, 0.1))
	}
	s.DrawRoundedRectangle(x-48*size, base-112*size, 96*size, 88*size, 16)
	s.inked(metal)
	for i := range 3 {
		s.DrawCircle(x-20*size+20*size*float64(i), base-64*size, 6*size)
		s.lined(one(s, backings), 2.5)
	}
	s.DrawLine(x, base-178*size, x, base-206*size)
	s.stroke(ink, 5)
	s.DrawCircle(x, base-210*size, 8*size)
	s.inked(hex(0xe4484f))
	s.DrawRoundedRectangle(x-42*size, base-182*size, 84*size, 64*size, 18)
	s.inked(lighter(metal, 0.15))
	s.DrawRoundedRectangle(x-30*size, base-170*size, 60*size, 30*size, 12)
	s.inked(hex(0x20303f))
	for _, side := range []float64{-1, 1} {
		s.DrawCircle(x+side*14*size, base-155*size, 7*size)
		s.filled(hex(0x62e6ff))
	}
	s.DrawLine(x-12*size, base-130*size, x+12*size, base-130*size)
	s.stroke(ink, 4)
}

// figure is a small person seen from afar.
func (s *sheet) figure(x, base, size float64) {
	skin, hair, cloth := one(s, skins), one(s, hairs), one(s, fabrics)
	if c, ok := s.words.coloured("dress", "coat", "shirt", "suit", "cloak", "robe", "jacket"); ok {
		cloth = c
	}
	for _, side := range []float64{-1, 1} {
		s.DrawLine(x+side*9*size, base-48*size, x+side*12*size, base)
		s.stroke(ink, 14*size)
		s.MoveTo(x+side*16*size, base-98*size)
		s.LineTo(x+side*34*size, base-62*size)
		s.stroke(ink, 14*size)
		s.MoveTo(x+side*16*size, base-98*size)
		s.LineTo(x+side*34*size, base-62*size)
		s.stroke(cloth, 8*size)
	}
	s.polygon(x-18*size, base-106*size, x+18*size, base-106*size, x+26*size, base-40*size, x-26*size, base-40*size)
	s.inked(cloth)
	s.DrawCircle(x, base-128*size, 22*size)
	s.inked(skin)
	if s.words.has("astronaut") {
		s.DrawCircle(x, base-128*size, 28*size)
		s.inked(alpha(hex(0xdff1f7), 170))
		return
	}
	s.DrawArc(x, base-130*size, 22*size, math.Pi*0.95, math.Pi*2.05)
	s.ClosePath()
	s.lined(hair, 3)
	for _, side := range []float64{-1, 1} {
		s.DrawCircle(x+side*8*size, base-124*size, 2.6*size)
		s.filled(ink)
	}
}
