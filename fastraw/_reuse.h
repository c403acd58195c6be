/* Memory of Heads, kept for the next ones. Most of a Head is room for field lines, which are
 * written before they are read: only what stands in front of them is cleared. Without the GIL,
 * memory is as for any other object.
 */
#include <Python.h>

#ifdef Py_GIL_DISABLED
static void reuse_memory(PyTypeObject *type, size_t room)
{
    (void)type, (void)room;
}
#else
enum { KEPT = 8 };
static void *kept[KEPT];
static int kept_count;
static size_t cleared; /* octets at the beginning of the memory */

static PyObject *take_memory(PyTypeObject *type, Py_ssize_t items)
{
    (void)items;
    void *memory = kept_count ? kept[--kept_count] : PyObject_Malloc((size_t)type->tp_basicsize);
    if (!memory)
        return PyErr_NoMemory();
    memset(memory, 0, cleared);
    return PyObject_Init(memory, type);
}

static void keep_memory(void *memory)
{
    if (kept_count < KEPT)
        kept[kept_count++] = memory;
    else
        PyObject_Free(memory);
}

/* From now on, for this type, of which no object has been made and which has `room` at its end. */
static void reuse_memory(PyTypeObject *type, size_t room)
{
    cleared = (size_t)type->tp_basicsize - room;
    type->tp_alloc = take_memory;
    type->tp_free = keep_memory;
}
#endif
