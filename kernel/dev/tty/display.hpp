// What shows the picture of a text screen.
#pragma once

#include <kernel/dev/tty/text_screen.hpp>

namespace skep::kernel {

class Display {
  public:
    // The picture's cell there has changed.
    virtual void draw(std::size_t position) = 0;
    virtual void move_cursor(std::size_t position) = 0;

  protected:
    ~Display() = default;
};

}  // namespace skep::kernel
