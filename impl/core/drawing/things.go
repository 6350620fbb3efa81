package drawing

import (
	"image/color"
	"math"
)

// things puts into a scene what the prompt names beside the place.
func (s *sheet) things() {
	v, low := s.words, s.h-60
	for range v.count("balloon") {
		s.balloon(s.between(80, s.w-80), s.between(80, s.h*0.36), s.between(0.7, 1))
	}
	for range v.count("bird", "seagull", "eagle", "crow") {
		s.bird(s.between(50, s.w-50), s.between(50, s.h*0.4), s.between(0.8, 1.4))
	}
	for range v.count("rocket", "spaceship", "spacecraft", "shuttle") {
		s.rocket(s.between(100, s.w-100), s.between(150, s.h*0.6), 1)
	}
	cats, dogs := v.count(felines...), v.count(canines...)
	for i := range cats + dogs {
		names := felines
		if i >= cats {
			names = canines
		}
		s.pet(s.w*(float64(i)+1)/float64(cats+dogs+1)+s.between(-10, 10), low, names, i < cats)
	}
	if n := v.count("robot", "android"); n > 0 {
		for i := range n {
			s.robot(s.w*(float64(i)+1)/float64(n+1), low, 1)
		}
	}
	if n := v.count("person", "people", "man", "woman", "child", "children", "girl", "boy", "knight", "astronaut", "wizard", "hero", "dancer", "couple", "king", "queen"); n > 0 {
		for i := range n {
			s.figure(s.w*(float64(i)+1)/float64(n+1)+s.between(-20, 20), low+10, s.between(0.9, 1.1))
		}
	}
}

func (s *sheet) tree(x, base, size float64, l hour) {
	leaf := one(s, []color.NRGBA{hex(0x4c8a52), hex(0x6aa84f), hex(0x3e7d5a), hex(0x7fa650)})
	if s.words.any("autumn", "fall") {
		leaf = one(s, []color.NRGBA{hex(0xd9772f), hex(0xc44a2f), hex(0xe6a93c)})
	}
	if s.words.any("cherry", "blossom", "sakura") {
		leaf = hex(0xf2a7c3)
	}
	s.DrawRectangle(x-7*size, base-54*size, 14*size, 54*size)
	s.inked(darker(hex(0x7a4f31), l.shade))
	s.cloud(x, base-84*size, 44*size, 8, darker(leaf, l.shade))
}

func (s *sheet) pine(x, base, size float64, l hour) {
	c := darker(one(s, []color.NRGBA{hex(0x2f6b4f), hex(0x3b7a57), hex(0x285a48)}), l.shade)
	s.DrawRectangle(x-5*size, base-22*size, 10*size, 22*size)
	s.inked(darker(hex(0x6b452b), l.shade))
	for i := range 3 {
		y, wide := base-16*size-float64(i)*30*size, (42-float64(i)*10)*size
		s.polygon(x-wide, y, x, y-54*size, x+wide, y)
		s.inked(lighter(c, float64(i)*0.06))
	}
}

func (s *sheet) palm(x, base, size float64, l hour) {
	s.MoveTo(x-8*size, base)
	s.QuadraticTo(x+4*size, base-90*size, x+26*size, base-150*size)
	s.LineTo(x+38*size, base-146*size)
	s.QuadraticTo(x+20*size, base-80*size, x+10*size, base)
	s.ClosePath()
	s.inked(darker(hex(0x9a6b43), l.shade))
	tx, ty := x+32*size, base-150*size
	for i := range 7 {
		at := math.Pi*0.92 + math.Pi*1.16*float64(i)/6
		ex, ey := tx+78*size*math.Cos(at), ty+62*size*math.Sin(at)+26*size
		s.MoveTo(tx, ty)
		s.QuadraticTo((tx+ex)/2, math.Min(ty, ey)-34*size, ex, ey)
		s.QuadraticTo((tx+ex)/2, math.Min(ty, ey)-6*size, tx, ty)
		s.lined(darker(hex(0x4f9d5d), l.shade), 3)
	}
}

func (s *sheet) cactus(x, base, size float64, l hour) {
	c := darker(hex(0x5b9a5f), l.shade)
	for _, side := range []float64{-1, 1} {
		s.MoveTo(x, base-34*size)
		s.LineTo(x+side*28*size, base-34*size)
		s.LineTo(x+side*28*size, base-62*size)
		s.stroke(ink, 19*size)
		s.MoveTo(x, base-34*size)
		s.LineTo(x+side*28*size, base-34*size)
		s.LineTo(x+side*28*size, base-62*size)
		s.stroke(c, 13*size)
	}
	s.DrawRoundedRectangle(x-11*size, base-92*size, 22*size, 92*size, 11*size)
	s.inked(c)
}

func (s *sheet) flower(x, y float64, l hour) {
	c := one(s, []color.NRGBA{hex(0xf94f6d), hex(0xffd166), hex(0xffffff), hex(0xb388eb), hex(0xff9f6b)})
	s.DrawLine(x, y, x, y+13)
	s.stroke(darker(hex(0x3f7d46), l.shade), 3)
	for i := range 5 {
		at := 2 * math.Pi * float64(i) / 5
		s.DrawCircle(x+5*math.Cos(at), y+5*math.Sin(at), 4)
	}
	s.filled(darker(c, l.shade*0.6))
	s.DrawCircle(x, y, 3)
	s.filled(hex(0x8a5a14))
}

func (s *sheet) house(x, base float64, l hour) {
	wall, roof := one(s, []color.NRGBA{hex(0xf4e3c8), hex(0xe9c9a8), hex(0xdfe6e0)}), one(s, []color.NRGBA{hex(0xb5473c), hex(0x7a4f31), hex(0x4a6572)})
	s.DrawRectangle(x-44, base-58, 88, 58)
	s.inked(darker(wall, l.shade))
	s.polygon(x-56, base-58, x, base-104, x+56, base-58)
	s.inked(darker(roof, l.shade))
	s.DrawRectangle(x-10, base-32, 20, 32)
	s.lined(darker(hex(0x7a4f31), l.shade), 3)
	window := hex(0xbfe0ee)
	if l.night {
		window = hex(0xffdf80)
	}
	for _, side := range []float64{-1, 1} {
		s.DrawRectangle(x+side*27-8, base-44, 16, 16)
		s.lined(window, 3)
	}
}

func (s *sheet) castle(x, base float64, l hour) {
	stone := darker(one(s, []color.NRGBA{hex(0xb8b3a8), hex(0xa8a4b4), hex(0xc9b79c)}), l.shade)
	s.battlement(x-90, base-96, 180, 96, stone)
	for i, side := range []float64{-104, 104, 0} {
		high := 150.0
		if i == 2 {
			high = 196
		}
		s.battlement(x+side-28, base-high, 56, high, lighter(stone, 0.08))
		s.polygon(x+side-34, base-high, x+side, base-high-62, x+side+34, base-high)
		s.inked(hex(0x8c3b4a))
		s.DrawLine(x+side, base-high-62, x+side, base-high-88)
		s.stroke(ink, 3)
		s.polygon(x+side, base-high-88, x+side+24, base-high-80, x+side, base-high-72)
		s.lined(one(s, fabrics), 2.5)
		s.DrawRoundedRectangle(x+side-7, base-high+34, 14, 26, 7)
		s.filled(ink)
	}
	s.DrawArc(x, base-28, 20, math.Pi, 2*math.Pi)
	s.LineTo(x+20, base)
	s.LineTo(x-20, base)
	s.ClosePath()
	s.inked(hex(0x5a3a28))
}

func (s *sheet) battlement(x, y, w, h float64, c color.NRGBA) {
	for at := x; at < x+w-8; at += 22 {
		s.DrawRectangle(at, y-12, 13, 14)
		s.inked(c)
	}
	s.DrawRectangle(x, y, w, h)
	s.inked(c)
}

func (s *sheet) boat(x, y, size float64, l hour) {
	sail := one(s, []color.NRGBA{hex(0xfbf7ee), hex(0xf2c14e), hex(0xe4572e), hex(0x9fd3c7)})
	s.DrawLine(x, y, x, y-92*size)
	s.stroke(ink, 4)
	s.polygon(x+5*size, y-88*size, x+5*size, y-14*size, x+54*size, y-14*size)
	s.inked(darker(sail, l.shade))
	s.polygon(x-5*size, y-76*size, x-5*size, y-14*size, x-36*size, y-14*size)
	s.inked(darker(sail, l.shade+0.08))
	s.MoveTo(x-52*size, y-6*size)
	s.QuadraticTo(x-36*size, y+22*size, x, y+22*size)
	s.QuadraticTo(x+42*size, y+22*size, x+60*size, y-6*size)
	s.ClosePath()
	s.inked(darker(hex(0x9a5b3c), l.shade))
}

func (s *sheet) parasol(x, base float64) {
	s.DrawLine(x, base+10, x+12, base-96)
	s.stroke(ink, 5)
	s.DrawArc(x+12, base-84, 62, math.Pi, 2*math.Pi)
	s.ClosePath()
	s.inked(hex(0xe4572e))
	for i := range 2 {
		s.DrawEllipticalArc(x+12, base-84, 20+22*float64(i), 62, math.Pi, 2*math.Pi)
		s.stroke(hex(0xfbf7ee), 6)
	}
}

func (s *sheet) car(x, y, size float64, l hour) {
	c := darker(one(s, fabrics), l.shade*0.5)
	s.MoveTo(x-40*size, y)
	s.CubicTo(x-30*size, y-34*size, x+20*size, y-34*size, x+34*size, y)
	s.inked(lighter(c, 0.5))
	s.DrawRoundedRectangle(x-58*size, y-6*size, 116*size, 24*size, 9*size)
	s.inked(c)
	for _, side := range []float64{-1, 1} {
		s.DrawCircle(x+side*32*size, y+19*size, 11*size)
		s.inked(hex(0x3a3540))
		s.DrawCircle(x+side*32*size, y+19*size, 4*size)
		s.filled(hex(0xd9d9dc))
	}
}

func (s *sheet) hoverCar(x, y, size float64) {
	c := one(s, fabrics)
	s.DrawEllipse(x, y+15*size, 42*size, 8*size)
	s.filled(alpha(hex(0x7df9ff), 130))
	s.DrawArc(x, y, 26*size, math.Pi, 2*math.Pi)
	s.ClosePath()
	s.inked(hex(0xcdeff5))
	s.DrawEllipse(x, y+3*size, 58*size, 13*size)
	s.inked(lighter(c, 0.15))
	s.polygon(x-56*size, y, x-76*size, y-20*size, x-44*size, y-4*size)
	s.inked(c)
}
